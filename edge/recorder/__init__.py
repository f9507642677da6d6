"""`listen --record`: the sound as it was heard, in files that always play, pruned by age and size."""
