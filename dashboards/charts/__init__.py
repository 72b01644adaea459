"""Charts of the comparison report, one module each: records and judged figures in, `Chart` out."""
