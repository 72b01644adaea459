"""Self-doubt: what makes a measurement less believable than it looks. Pure functions of figures."""
