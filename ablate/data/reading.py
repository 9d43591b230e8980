"""Reading one image or mask file; what would silently become something else is refused."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image as Pillow
from PIL.ImageFile import ImageFile

from ablate.data.images import Image, Mask
from ablate.errors import DataError

# Raster formats alone: Pillow would start other programs for some of the others (EPS).
SUFFIXES = frozenset(
    {".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff"}
    | {".webp"}
)
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")


def read_image(path: Path) -> Image:
    """Reads an image of 8 bits a channel; grey and palette become RGB, alpha is dropped.

    Returns:
        Shape HxWx3, RGB.

    Raises:
        DataError: If it is unreadable, too large, or of more than 8 bits a channel.
    """
    return np.array(_decode(path).convert("RGB"))


def read_mask(path: Path) -> Mask:
    """Reads a mask of 1 or 8 bits: above 0 is positive.

    A palette of greys is read as the greys that it shows, any other palette as class numbers.

    Returns:
        Shape HxW, True for positive.

    Raises:
        DataError: If it is unreadable, or if it is not clear which pixels are above 0.
    """
    image = _decode(path)
    if image.format == "JPEG":
        raise DataError(
            f"mask {path} is a JPEG, whose compression leaves values above 0 around the regions",
            "make the mask anew as PNG",
        )
    if "A" in image.getbands() and image.getchannel("A").getextrema() != (255, 255):
        raise DataError(f"mask {path} is partly transparent", "save it as plain 8-bit grey")
    levels = np.asarray(image.convert("RGB"))
    is_grey = bool((levels == levels[..., :1]).all())
    if is_grey or image.mode == "P":
        mask: Mask = (levels[..., 0] if is_grey else np.asarray(image)) > 0
        return mask
    raise DataError(
        f"mask {path} is coloured (mode {image.mode})", "save it as 8-bit grey, positive above 0"
    )


def _decode(path: Path) -> ImageFile:
    """Decodes the whole file once its header has passed.

    Raises:
        DataError: If it is unreadable, too large, or of more than 8 bits a channel.
    """
    # Decoders raise errors of many kinds on broken files, hence the wide net. Their warnings
    # about odd metadata do not matter here, except for the one about size, which Pillow gives
    # from the header alone.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Pillow.DecompressionBombWarning)
        try:
            with Pillow.open(path, formats=_FORMATS) as image:
                deep = _is_deep(image)
                if not deep:
                    image.load()
        except (Pillow.DecompressionBombWarning, Pillow.DecompressionBombError) as error:
            raise DataError(
                f"{path} declares more than {Pillow.MAX_IMAGE_PIXELS} pixels",
                "cut it into tiles",
            ) from error
        except Exception as error:
            raise DataError(
                f"{path} cannot be read as an image ({' '.join(str(error).split())})",
                "replace the file",
            ) from error
    if deep:
        raise DataError(
            f"{path} has more than 8 bits a channel (mode {image.mode})", "convert it to 8 bits"
        )
    # Of no use here, and Pillow warns about it when it converts palettes.
    image.info.pop("transparency", None)
    return image


def _is_deep(image: ImageFile) -> bool:
    """Whether the file has more than 8 bits a channel.

    Pillow reduces 16-bit RGB to 8 bits silently; only the decoder's arguments show it.
    """
    return image.mode.startswith(("I", "F")) or any(";16" in str(tile[3]) for tile in image.tile)
