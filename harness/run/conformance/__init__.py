"""Runs the ONNX project's test cases on engines, each case guarded."""
