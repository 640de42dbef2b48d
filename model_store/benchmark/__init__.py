"""The speed and the precision of a stored model, in every precision and with every instruction set of this machine."""
