"""What operators read: entries of the trail."""
