"""Action detection: a class or background for every frame of an untrimmed recording, and its segments.

In reading order: config; segments (frames to segments); truth (labels); timing; model; predict; job
(training); choose (segment settings); metrics; task; detector, online and detection (for applications).
"""
