"""board - the file that all processes of the load map: struct board of load.h."""
import mmap
import os
import struct

PLACES = 64
BYTES = 8 * (2 * PLACES + 3)
OFFSET = {"submitted": 0, "settled": 8 * PLACES, "level": 16 * PLACES,
          "pace_ms": 16 * PLACES + 8, "end": 16 * PLACES + 16}


class Board:
    def __init__(self, path):
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(fd, BYTES)
        self.map = mmap.mmap(fd, BYTES)
        os.close(fd)

    def number(self, name, place=0):
        return struct.unpack_from("<Q", self.map, OFFSET[name] + 8 * place)[0]

    def set(self, name, value, place=0):
        struct.pack_into("<Q", self.map, OFFSET[name] + 8 * place, value)

    def count(self, name, place):
        self.set(name, self.number(name, place) + 1, place)

    def sum(self, name):
        return sum(struct.unpack_from(f"<{PLACES}Q", self.map, OFFSET[name]))

    def in_flight(self):
        return max(0, self.sum("submitted") - self.sum("settled"))

    level = property(lambda self: self.number("level"))
    pace_ms = property(lambda self: self.number("pace_ms"))
    end = property(lambda self: self.number("end"))
