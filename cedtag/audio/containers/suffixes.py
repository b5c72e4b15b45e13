"""The suffixes of recordings, in lower case and with the dot, by what decodes them."""

from __future__ import annotations


def _suffixes(spaced: str) -> frozenset[str]:
    return frozenset(spaced.split())


SOUNDFILE_SUFFIXES = _suffixes(
    ".wav .wave .bwf .rf64 .w64 .flac .ogg .oga .mp3 .mp2 .aif .aiff .aifc .caf .au .snd .voc .sph .nist .sf "
    ".8svx .iff .wve"
)
AV_SUFFIXES = _suffixes(
    ".m4a .m4b .m4r .mp4 .m4v .mov .3gp .3g2 .aac .mka .mkv .webm .wma .wmv .asf .amr .awb .ac3 .eac3 .dts .thd .wv "
    ".tta .dsf .ape .mpc .tak .opus .spx .ogv .avi .flv .mpg .mpeg .vob .ts .mts .m2ts"
)
AUDIO_SUFFIXES = SOUNDFILE_SUFFIXES | AV_SUFFIXES
