// Narrows the tables to the rows that fit the text and the outcome; without it all rows are there.
document.documentElement.classList.add("scripted");
for (const form of document.querySelectorAll("form.filters")) {
  const rows = [...document.getElementById(form.dataset.table).tBodies[0].rows];
  const told = form.querySelector("output");
  const narrow = () => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const outcome = form.elements.outcome.value;
    const contender = form.elements.contender ? form.elements.contender.value : "";
    let shown = 0;
    for (const row of rows) {
      const outcomes = contender === "" ? row.dataset.outcomes : row.dataset.outcomes.split("|")[Number(contender)];
      const text = row.dataset.text;
      const fits = words.every((word) => text.includes(word))
        && (outcome === "" || outcomes.split(/[|\s]/).some((each) => outcome === "not-passes" ? each !== "passes" && each !== "" : each === outcome));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    told.textContent = `${shown} of ${rows.length} rows`;
  };
  form.addEventListener("input", narrow);
  form.addEventListener("submit", (event) => event.preventDefault());
  narrow();
}
// What waits for a page to be complete waits for this mark.
document.documentElement.dataset.charts = "drawn";
