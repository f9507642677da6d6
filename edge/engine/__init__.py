"""Running a bundle's network: `open_engine` chooses who does it."""
