"""The suffixes of recordings, in lower case and with the dot, by what decodes them."""

from __future__ import annotations


def _suffixes(spaced: str) -> frozenset[str]:
    return frozenset(spaced.split())


SOUNDFILE_SUFFIXES = _suffixes(
    ".wav .wave .bwf .rf64 .w64 .flac .ogg .oga .mp3 .mp2 .aif .aiff .aifc .caf .au .snd .voc .sph .nist .sf "
    ".8svx .16svx .iff .wve .avr .pvf .paf .xi"
)
AV_SUFFIXES = _suffixes(
    ".m4a .m4b .m4r .mp4 .m4v .mov .3gp .3g2 .aac .mka .mkv .webm .wma .wmv .asf .amr .awb .ac3 .eac3 .dts .thd .wv "
    ".tta .dsf .ape .mpc .tak .opus .spx .ogv .avi .flv .mpg .mpeg .vob .ts .mts .m2ts "
    ".dff .wsd .eb3 .ec3 .dtshd .dtsma .mlp .loas .latm .ra .rm .rmvb .qcp .xwma .shn .osq .rka .bonk .qoa .vqf .oma "
    ".aa3 .at3 .dss .adx .mmf .maud .nut .mxf .gxf .wtv .f4a .f4v"
)
AUDIO_SUFFIXES = SOUNDFILE_SUFFIXES | AV_SUFFIXES
