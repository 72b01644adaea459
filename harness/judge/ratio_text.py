"""A ratio as text, the same in every sentence."""


def ratio_text(value: float) -> str:
    """Three significant digits, without exponent; three decimals around one, where small differences matter."""
    if 0.8 <= value <= 1.25:
        return f"{value:.3f}"
    if 0.1 <= value < 10:
        return f"{value:.2f}"
    return f"{value:.3g}" if 1e-4 <= value < 1000 else f"{value:,.0f}" if value >= 1000 else f"{value:.1e}"
