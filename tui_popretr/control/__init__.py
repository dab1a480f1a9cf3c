"""The control socket: how other programs watch and steer a running one. docs/control.md describes the protocol."""
