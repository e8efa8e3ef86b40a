"""Many rooms on one worker: which classes are mounted, who is alive, where a room is."""
