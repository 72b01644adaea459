"""The conformance kit: what every adapter, third parties' included, must pass.

Run it with `python -m backends.conformance NAME[:FLAVOUR]`, or inside a pytest run of your own with
`pytest -p backends.conformance.plugin --pyargs backends.conformance --backend NAME[:FLAVOUR]`.
"""
