"""How a message becomes durable: groups of messages, their fsyncs, the journal, and recovery after a crash."""
