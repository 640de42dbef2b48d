"""Run profiles by JMeter or Taurus and record them."""
