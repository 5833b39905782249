"""Reading what a local model really sent: an ordered ladder of small, pure rungs."""
