"""XML exports with the content that `tests.data.exports` describes."""

CVAT_IMAGES = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><name>t</name><assignee><username>ada</username></assignee></task></meta>
  <image id="0" name="a.png" width="100" height="80">
    <box label="Sperm" source="manual" occluded="1" xtl="10.00" ytl="20.00" xbr="30.00" ybr="60.00" z_order="0">
      <attribute name="phenotype">bent tail</attribute>
    </box>
    <polygon label="oolemma" occluded="0" points="40.0,10.0;60.0,10.0;60.0,30.0;40.0,30.0" z_order="0"/>
    <points label="NEEDLE" occluded="0" points="50.5,40.5" z_order="0"/>
  </image>
  <image id="1" name="b.png" width="100" height="80"/>
</annotations>
"""

CVAT_VIDEO = """<annotations>
  <meta><task><size>4</size><start_frame>0</start_frame><stop_frame>6</stop_frame><frame_filter>step=2</frame_filter>
    <original_size><width>100</width><height>80</height></original_size></task><source>op.mp4</source></meta>
  <track id="0" label="sperm" source="manual">
    <box frame="0" outside="0" occluded="0" keyframe="1" xtl="10" ytl="20" xbr="30" ybr="60"/>
    <box frame="2" outside="0" occluded="0" keyframe="0" xtl="12" ytl="20" xbr="32" ybr="60"/>
    <box frame="4" outside="1" occluded="0" keyframe="1" xtl="12" ytl="20" xbr="32" ybr="60"/>
  </track>
</annotations>
"""

VOC_SIZE = "<size><width>100</width><height>80</height><depth>3</depth></size>"
VOC_A = f"""<annotation>
  <folder>set</folder><filename>a.xml</filename><path>C:\\work\\set\\a.png</path>{VOC_SIZE}
  <object><name>Sperm</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>
    <bndbox><xmin>11</xmin><ymin>21</ymin><xmax>30</xmax><ymax>60</ymax></bndbox></object>
</annotation>
"""
VOC_B = f"<annotation><filename>copied_from_a.png</filename><path>b.png</path>{VOC_SIZE}</annotation>"
