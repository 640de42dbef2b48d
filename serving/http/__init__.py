"""The HTTP door: what BentoML's service needs around it to keep the contract."""
