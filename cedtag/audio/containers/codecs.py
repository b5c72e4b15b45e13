"""Which codec a container holds: libsndfile reads the container, but decodes some codecs only, or not rightly."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from cedtag.audio.containers.chunks import LAYOUTS, chunks, find_audio

if TYPE_CHECKING:
    from collections.abc import Callable

    from cedtag.audio.containers.file_bytes import FileBytes

# Where a codec is described, a longer description than this is none.
_LONGEST_HEAD = 1 << 12

# The codes of codecs in WAV that libsndfile decodes: PCM, MS ADPCM, float, A-law, mu-law, IMA ADPCM, GSM 6.10, NMS
# ADPCM, G.721 (which FFmpeg decodes to noise) and MP3. In W64 it takes any extensible format for PCM.
_PCM, _FLOAT, _EXTENSIBLE = 0x0001, 0x0003, 0xFFFE
_IN_WAV = frozenset([_PCM, 0x0002, _FLOAT, 0x0006, 0x0007, 0x0011, 0x0031, 0x0038, 0x0040, 0x0055])
_IN_W64 = _IN_WAV - {0x0055}
_EXTENDED_IN_WAV = frozenset([_PCM, 0x0002, _FLOAT, 0x0006, 0x0007])
# The rest of the GUID of an extensible format whose beginning is a code, and that of ambisonic recordings.
_CODE_GUIDS = (bytes.fromhex("000000001000800000aa00389b71"), bytes.fromhex("00002107d3118644c8c1ca000000"))

# How frames of DTS begin, in words of 16 and of 14 bits, and the bursts of IEC 61937.
_BITSTREAMS = (b"\xfe\x7f\x01\x80", b"\xff\x1f\x00\xe8", b"\x72\xf8\x1f\x4e")
_LONGEST_BURST = 1 << 14

# FFmpeg keeps the predictor of IMA ADPCM in AIFF-C as QuickTime does; libsndfile adds noise (2 dB in the mean).
_IN_AIFC = frozenset(
    re.findall(rb"....", b"NONEnonetwossowtraw in24in32ni2423ni42n1fl32FL32fl64FL64alawALAWulawULAWGSM DWVW")
)
# By the bits of a sample, of which the flags are a code: of 20 and 32 bits libsndfile may make noise.
_ALAC_OF_16_AND_24_BITS = (1, 3)
_IN_CAF = frozenset([b"lpcm", b"alaw", b"ulaw"])
_IN_AU = frozenset([*range(1, 8), 23, 25, 26, 27])
_IN_VOC = (b"\0", b"\4", b"\6", b"\7")
_IN_IRCAM = frozenset([0x2, 0x4, 0x10001, 0x20001, 0x40004])
_BITS_OF_FLAC = (8, 16, 24)
_CODING_IN_NIST = re.compile(rb"sample_coding -s\d+ [a-z-]+,embedded-([a-z]+)")
_BYTES_IN_NIST = re.compile(rb"\nsample_n_bytes -i (\d)\s")
_ORDER_IN_NIST = re.compile(rb"\nsample_byte_format -s(\d) ")
_STEREO_IN_8SVX = 6
_MOST_CHUNKS = 1_000
# FFmpeg has names for some of them, but no decoder, or does not find their packets.
_UNDECODABLE_IN_WAV = (
    (frozenset([0x2048]), "Sonic"),
    (frozenset([0x566F, 0x674F, 0x6750, 0x6751, 0x676F, 0x6770, 0x6771]), "Vorbis"),
    (frozenset([0xA109]), "Speex"),
)


def demuxer_of_codec(container: str, file: FileBytes) -> str | None:
    """Return FFmpeg's demuxer for a container of libsndfile whose codec libsndfile does not decode; else None."""
    reading = _READINGS.get(container)
    if reading is None:
        return None
    demuxer, is_decoded = reading
    return None if is_decoded(file) else demuxer


def undecodable_codec(container: str, file: FileBytes) -> str | None:
    """Return the codec that nothing here decodes, with what does, in words for the user; None where there is none."""
    if container in ("wav", "w64") and (form := wave_format(file)) is not None:
        name = next((name for codes, name in _UNDECODABLE_IN_WAV if form[0] in codes), None)
        return None if name is None else f"{name} in WAV, which cedtag cannot decode; convert it to plain WAV first"
    if container == "nist" and (coding := _CODING_IN_NIST.search(file.at(0, _LONGEST_HEAD))) is not None:
        how = "convert it with: sph2pipe -f wav FILE OUT.wav"
        return f"NIST SPHERE audio in {coding[1].decode()} coding, which cedtag cannot decode; {how}"
    return None


def wave_format(file: FileBytes) -> tuple[int, int, bool] | None:
    """Return the code of the codec in WAV or W64, the bits of a sample, and whether it is an extensible format.

    None without a format chunk. The code is -1 where a GUID is that of no code.
    """
    layout = LAYOUTS[file.at(0, 4)]
    found = (chunk for chunk in chunks(file, layout, layout.first_chunk) if chunk.kind[:4] == b"fmt ")
    if (chunk := next(found, None)) is None or chunk.size < 14:
        return None
    form = file.at(chunk.offset, min(chunk.size, _LONGEST_HEAD))
    code, bits = (int.from_bytes(form[at : at + 2], layout.byte_order) for at in (0, 14))
    if code != _EXTENSIBLE:
        return code, bits, False
    if layout.byte_order == "big":  # the first number of a GUID, or, as SoX writes it, one of two bytes and zeros
        number = int.from_bytes(form[24:28], "big")
        return number if number < 1 << 16 else number >> 16, bits, True
    is_code = form[26:40] in _CODE_GUIDS
    return int.from_bytes(form[24:26], "little") if is_code else -1, bits, True


def _is_decoded_in_wav(file: FileBytes) -> bool:
    form = wave_format(file)
    if form is None:
        return True  # its message says what is missing
    code, bits, is_extensible = form
    if is_extensible and file.at(0, 4) == b"riff":
        return code == _PCM and bits <= 32
    if code == _FLOAT:
        return bits in (32, 64)
    if code == _PCM and bits == 16 and _is_bitstream(file):
        return False
    known = _EXTENDED_IN_WAV if is_extensible else _IN_W64 if file.at(0, 4) == b"riff" else _IN_WAV
    return code in known and bits <= 32


def _is_bitstream(file: FileBytes) -> bool:
    """Return whether what is declared to be PCM is DTS, as on CDs, or a coded signal of S/PDIF: full-scale noise."""
    audio = find_audio(file)
    if audio is None:
        return False
    beginning = file.at(audio.offset, _LONGEST_BURST)
    return any(sync in beginning for sync in _BITSTREAMS)


def _is_decoded_in_caf(file: FileBytes) -> bool:
    codec, flags = file.at(28, 4), file.uint32(32)
    return file.at(8, 4) != b"desc" or codec in _IN_CAF or (codec == b"alac" and flags in _ALAC_OF_16_AND_24_BITS)


def _is_decoded_in_aiff(file: FileBytes) -> bool:
    if file.at(8, 4) == b"AIFF":
        return True
    layout = LAYOUTS[b"FORM"]
    common = next((chunk for chunk in chunks(file, layout, layout.first_chunk) if chunk.kind == b"COMM"), None)
    return common is None or file.at(common.offset + 18, 4) in _IN_AIFC


def _is_decoded_in_au(file: FileBytes) -> bool:
    return int.from_bytes(file.at(12, 4), "big" if file.at(0, 4) == b".snd" else "little") in _IN_AU


def _is_decoded_in_ircam(file: FileBytes) -> bool:
    is_little = file.at(0, 1) == b"\x64" and file.at(2, 1) in (b"\1", b"\3")
    is_little = is_little or file.at(0, 1) == b"\0"
    return int.from_bytes(file.at(12, 4), "little" if is_little else "big") in _IN_IRCAM


def _is_decoded_in_8svx(file: FileBytes) -> bool:
    """Return whether it is PCM of one channel; others stand behind the first, and libsndfile takes them in turns."""
    layout = LAYOUTS[b"FORM"]
    found = {chunk.kind: chunk.offset for chunk in islice(chunks(file, layout, layout.first_chunk), _MOST_CHUNKS)}
    is_pcm = b"VHDR" not in found or file.at(found[b"VHDR"] + 15, 1) == b"\0"
    return is_pcm and (b"CHAN" not in found or file.uint32(found[b"CHAN"]) != _STEREO_IN_8SVX)


def _is_decoded_in_nist(file: FileBytes) -> bool:
    """Return whether the order of bytes has the length of a sample: SoX states two bytes for 24 and 32 bits, too."""
    head = file.at(0, _LONGEST_HEAD)
    num_bytes, order = _BYTES_IN_NIST.search(head), _ORDER_IN_NIST.search(head)
    return num_bytes is None or order is None or num_bytes[1] in (b"1", b"2", order[1])


def _is_decoded_in_voc(file: FileBytes) -> bool:
    """Return whether there is one block of a codec that libsndfile knows; it takes the next header for sound."""
    at = int.from_bytes(file.at(20, 2), "little")
    if file.at(at, 1) == b"\x08":  # adds a second channel to the block that follows
        at = _end_of_voc_block(file, at)
    codec = file.at(at + 5, 1) if file.at(at, 1) == b"\1" else file.at(at + 10, 1)
    return codec in _IN_VOC and not b"\1" <= file.at(_end_of_voc_block(file, at), 1) <= b"\x09"


def _end_of_voc_block(file: FileBytes, at: int) -> int:
    return at + 4 + int.from_bytes(file.at(at + 1, 3), "little")


def _is_decoded_in_flac(file: FileBytes) -> bool:
    bits = 1 + (int.from_bytes(file.at(20, 2), "big") >> 4 & 31)
    return bits in _BITS_OF_FLAC


_READINGS: dict[str, tuple[str, Callable[[FileBytes], bool]]] = {
    "wav": ("wav", _is_decoded_in_wav),
    "w64": ("w64", _is_decoded_in_wav),
    "caf": ("caf", _is_decoded_in_caf),
    "aiff": ("aiff", _is_decoded_in_aiff),
    "au": ("au", _is_decoded_in_au),
    "ircam": ("ircam", _is_decoded_in_ircam),
    "8svx": ("iff", _is_decoded_in_8svx),
    "nist": ("nistsphere", _is_decoded_in_nist),
    "voc": ("voc", _is_decoded_in_voc),
    "flac": ("flac", _is_decoded_in_flac),
}
