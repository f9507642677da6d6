"""The ways to a device, one file each; a library is imported only where its way is opened."""
