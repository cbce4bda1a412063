import cv2
import numpy as np
from test_detector import WINDOWS, FindsBright, with_square

from icsilib.detection.detector import Detector
from icsilib.detection.throughput import measure_throughput, read_ahead


def test_every_image_and_window_is_counted(tmp_path):
    files = []
    for number in range(7):
        files.append(tmp_path / f"{number}.png")
        cv2.imwrite(str(files[-1]), with_square(400, 600, 10 * number + 5, 20))
    measured = measure_throughput(Detector(FindsBright(), WINDOWS), files, batch_size=4)
    assert (measured.images, measured.windows, measured.found) == (7, 7 * 6, 7)
    assert measured.images_per_second == 7 / measured.seconds
    assert [int(np.argmax(pixels[30, :, 0] > 0)) for pixels in read_ahead(files)] == [5, 15, 25, 35, 45, 55, 65]
