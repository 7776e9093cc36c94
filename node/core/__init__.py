"""The node's brain, sans I/O: `NodeCore` and the effects that it asks its shell for."""
