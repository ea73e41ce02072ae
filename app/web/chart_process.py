"""The program that draws charts, run by `drawing`: a browser's engine is in the converter, 85 MB that `serve` need not keep.

On standard input a line of JSON `{"format": "svg", "spec": "{…}"}` for each chart (`"pdf of svg"` takes an SVG instead); on standard output for each a byte (1: drawn, 0: not), the
length of what follows as u32, big-endian, and the chart, or why there is none. It ends when its input does.
"""

import json
import struct
import sys


def main() -> None:
    import vl_convert

    for line in sys.stdin.buffer:
        asked = json.loads(line)
        spec = asked["spec"]
        try:
            match asked["format"]:
                case "pdf of svg":
                    drawn = vl_convert.svg_to_pdf(spec)
                case "svg":
                    drawn = vl_convert.vegalite_to_svg(spec).encode()
                case "png":
                    drawn = vl_convert.vegalite_to_png(spec, scale=2)
                case _:
                    drawn = vl_convert.vegalite_to_pdf(spec)
            ok = True
        except ValueError as error:
            ok, drawn = False, str(error).encode()
        sys.stdout.buffer.write(struct.pack(">BI", ok, len(drawn)) + drawn)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
