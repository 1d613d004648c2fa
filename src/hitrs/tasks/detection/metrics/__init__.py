"""How good detections are. In reading order: average_precision (of segments, the PASCAL-VOC and the PKU-MMD
way), frames (labelings of all frames, and delays of online detection), score (all of them at once)."""
