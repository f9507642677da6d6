"""`score --report`: one page for people about all recordings, with their pictures and, on request, their sound."""
