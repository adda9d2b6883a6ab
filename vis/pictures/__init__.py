"""What results look like: colours, tiles, heat maps, films."""
