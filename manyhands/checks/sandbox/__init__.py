"""Running programs that nobody has read, without letting them harm or deceive anyone."""
