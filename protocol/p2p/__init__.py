"""What crosses the wire between peers: frames, messages, and what makes a greeting acceptable."""
