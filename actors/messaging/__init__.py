"""Messages in frames: kinds, ids, requests and their responses, and the gate before the hello."""
