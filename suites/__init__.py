"""Suite files and built-in models: architectures, seeded weights, inputs, reference outputs."""
