"""What surrounds a measurement: the machine, its software, its noise."""
