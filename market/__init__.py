"""The vocabulary of markets: instruments, events, ticks, topics and the wire protocol; no I/O."""
