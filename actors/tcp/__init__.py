"""TCP connections: accept, dial, frames in and out, deadlines and back-pressure (WIRE: frames, limits)."""
