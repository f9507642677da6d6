"""Coughs and voices in a stream of sound: what a frame is like, what it is taken for, and what follows from many."""
