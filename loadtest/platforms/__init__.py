"""The platforms that can be load-tested, one file each; a new file here is a new platform."""
