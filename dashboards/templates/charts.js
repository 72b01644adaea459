// Draws every chart from the JSON beside it. Colours are CSS custom properties, so dark mode and print need no redraw.
(async () => {
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true, // the interpreter: the page's policy forbids eval
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  };
  for (const source of document.querySelectorAll("script[data-chart]")) {
    const drawing = document.getElementById(source.dataset.chart);
    try {
      await window.vegaEmbed(drawing, JSON.parse(source.textContent), options);
    } catch (error) {
      drawing.textContent = `This chart could not be drawn: ${error.message}`;
      drawing.removeAttribute("role");
      console.error(error);
    }
  }
  document.documentElement.dataset.charts = "drawn";
})();

// Paper cannot be unfolded.
const folded = [];
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details.print:not([open])")) {
    details.open = true;
    folded.push(details);
  }
});
window.addEventListener("afterprint", () => {
  for (const details of folded.splice(0)) details.open = false;
});
