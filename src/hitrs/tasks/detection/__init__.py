"""Action detection: a class or background for every frame of an untrimmed recording, and its segments.

In reading order: config; segments (frames to segments); truth (labels); timing; model; predict; job
(training); choose (segment settings); metrics; task; stepping (frame by frame); graph and online_graph (for
files that leave the package); detector, online, detection and files (for applications).
"""
