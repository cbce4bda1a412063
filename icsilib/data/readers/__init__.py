"""Annotations from other tools: VIA, CVAT, Label Studio, LabelMe, Pascal VOC, YOLO and COCO, read into `Dataset`."""
