"""What is measured of samples: their distance from data, their variety, and what a classifier still finds in them.

The networks that look at images are handed in. Every result is an object with its interval and its protocol.
"""
