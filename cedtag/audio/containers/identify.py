"""Which container a file is, by its first bytes: never by its name, and never by trying decoders in turn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cedtag.audio.containers.codecs import demuxer_of_codec
from cedtag.audio.containers.mpeg import find_frame, id3_end
from cedtag.audio.containers.ogg import is_vorbis_alone
from cedtag.audio.containers.ogg_codecs import codec_name
from cedtag.audio.containers.other_files import other_type
from cedtag.audio.containers.raw_streams import find_program_stream, find_raw_stream

if TYPE_CHECKING:
    from cedtag.audio.containers.file_bytes import FileBytes

# A stream that does not begin with a frame (cut, padding, a player's junk) is looked for in this many bytes.
_LEADING_JUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of audio file. `demuxer` is FFmpeg's name of it where PyAV is its decoder, else libsndfile reads it.

    `start` is the offset of its first byte that counts: behind leading junk where the decoder needs to know.
    `promised_bytes` are those that a container around it states.
    """

    name: str
    demuxer: str | None = None
    start: int = 0
    promised_bytes: int = 0


# Of a DTS frame, in words of 16 or 14 bits and either order of bytes.
_DTS_SYNCS = (b"\x7f\xfe\x80\x01", b"\xfe\x7f\x01\x80", b"\x1f\xff\xe8\x00", b"\xff\x1f\x00\xe8")

# (offset, bytes, container), the first match counts.
_MAGICS: tuple[tuple[int, bytes, Container], ...] = (
    (0, b"fLaC", Container("flac")),
    (0, b"RF64", Container("wav")),
    (0, b"RIFX", Container("wav")),
    (0, b"riff\x2e\x91\xcf\x11", Container("w64")),
    (0, b"caff", Container("caf")),
    (0, b".snd", Container("au")),
    (0, b"dns.", Container("au")),
    (0, b"Creative Voice File", Container("voc")),
    (0, b"NIST_1A", Container("nist")),
    *((0, bytes((0x64, 0xA3, machine, 0)), Container("ircam")) for machine in range(1, 5)),
    *((0, bytes((0, machine, 0xA3, 0x64)), Container("ircam")) for machine in range(1, 5)),
    (0, b"ALawSoundFile", Container("wve")),
    (0, b"2BIT", Container("avr")),
    (0, b"PVF1\n", Container("pvf")),
    (0, b" paf", Container("paf")),
    (0, b"fap ", Container("paf")),
    (0, b"Extended Instrument: ", Container("xi")),
    (0, b"\x1aE\xdf\xa3", Container("matroska", "matroska")),
    (0, b"0&\xb2u\x8ef\xcf\x11", Container("asf", "asf")),
    (0, b"#!AMR", Container("amr", "amr")),
    (0, b"\x0bw", Container("ac3", "ac3")),
    *((0, sync, Container("dts", "dts")) for sync in _DTS_SYNCS),
    (0, b"DTSHDHDR", Container("dts", "dtshd")),
    (0, b"wvpk", Container("wavpack", "wv")),
    (0, b"TTA1", Container("tta", "tta")),
    (0, b"DSD ", Container("dsf", "dsf")),
    (0, b"MAC ", Container("ape", "ape")),
    (0, b"MPCK", Container("musepack", "mpc8")),
    (0, b"MP+", Container("musepack", "mpc")),
    (0, b"tBaK", Container("tak", "tak")),
    (0, b"ajkg", Container("shorten", "shn")),
    (0, b"OSQ ", Container("osq", "osq")),
    (0, b"RKA7", Container("rka", "rka")),
    (0, b"\0BONK", Container("bonk", "bonk")),
    (0, b"qoaf", Container("qoa", "qoa")),
    (0, b"TWIN", Container("vqf", "vqf")),
    (0, b"ea3\x03", Container("oma", "oma")),
    (0, b"EA3\x01\x00\x60", Container("oma", "oma")),
    (0, b".RMF\0\0\0", Container("realmedia", "rm")),
    (0, b".ra\xfd", Container("realmedia", "rm")),
    (0, b"\x02dss", Container("dss", "dss")),
    (0, b"\x03dss", Container("dss", "dss")),
    (0, b"1bit", Container("wsd", "wsd")),
    (0, b"MMMD", Container("mmf", "mmf")),
    (0, b"nut/multimedia container\0", Container("nut", "nut")),
    (0, b"\x06\x0e+4\x02\x05\x01\x01\x0d\x01\x02\x01", Container("mxf", "mxf")),
    (0, b"\0\0\0\0\x01\xbc\0\0", Container("gxf", "gxf")),
    (0, b"\xb7\xd8\0 7I\xda\x11\xa6N\0\x07\xe9^\xad\x8d", Container("wtv", "wtv")),
    (0, b"FLV\x01", Container("flv", "flv")),
    (0, b"\x00\x00\x01\xba", Container("mpeg-ps", "mpeg")),
    (4, b"\xf8ro\xba", Container("truehd", "truehd")),
    (4, b"\xf8ro\xbb", Container("mlp", "mlp")),
    *((4, atom, Container("mp4", "mov")) for atom in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),
)

_FORM_TYPES = {
    (b"RIFF", b"WAVE"): Container("wav"),
    (b"RIFF", b"AVI "): Container("avi", "avi"),
    (b"RIFF", b"QLCM"): Container("qcp", "qcp"),
    (b"RIFF", b"XWMA"): Container("xwma", "xwma"),
    (b"FORM", b"AIFF"): Container("aiff"),
    (b"FORM", b"AIFC"): Container("aiff"),
    (b"FORM", b"8SVX"): Container("8svx"),
    (b"FORM", b"16SV"): Container("8svx"),
    (b"FORM", b"MAUD"): Container("maud", "iff"),
}

# Ogg is libsndfile's only with Vorbis in it. Its Opus breaks off in one valid file of five made by FFmpeg ("malformed",
# or a few hundred samples short; libsndfile 1.2.2) and takes twice as long as FFmpeg's own.
_OGG_VORBIS, _OGG_OTHER = Container("ogg"), Container("ogg", "ogg")


def identify(file: FileBytes) -> Container | None:
    """Return the container of `file`, which has no tags before it, or None for an unknown one."""
    head = file.at(0, 64)
    container = _by_magic(head)
    if container is None:
        return _mpeg_audio(file) if other_type(file) is None else None
    if container == _OGG_VORBIS and not is_vorbis_alone(file):
        return _OGG_OTHER
    if container.demuxer is None:
        return replace(container, demuxer=demuxer_of_codec(container.name, file))
    return container


def is_magic(head: bytes) -> bool:
    """Return whether a recording with unmistakable first bytes begins like this."""
    container = _by_magic(head)
    return container is not None and container.name != "ac3"  # two bytes, which any data have now and then


def describe_if_no_pcm(file: FileBytes) -> str | None:
    """What a file certainly is, for the user, that was given as headerless PCM; None where it may be that.

    No junk is searched for frames here: among samples there is always something that looks like one.
    """
    start = id3_end(file)
    head = file.at(start, 64)
    container = _by_magic(head)
    if container is not None and is_magic(head):
        return f"a recording ({container.name})"
    if start or head[:3] == b"ID3" or _is_adts(file, 0) or find_frame(file, 0, 1, in_a_row=4) == 0:
        return "a recording (MPEG audio)"
    return other_type(file)


def _by_magic(head: bytes) -> Container | None:
    for offset, magic, container in _MAGICS:
        if head[offset : offset + len(magic)] == magic:
            return container
    if head[:4] == b"OggS":
        packet = head[27 + head[26] :] if len(head) > 27 else b""
        return _OGG_VORBIS if codec_name(packet) == "Vorbis" else _OGG_OTHER
    if head[:4] == b"FRM8" and head[12:16] == b"DSD ":
        return Container("dff", "iff")
    if head[:2] == b"\x80\0" and head[4:6] in (b"\3\x12", b"\4\x12"):
        return Container("adx", "adx")
    return _FORM_TYPES.get((head[:4], head[8:12]))


def _mpeg_audio(file: FileBytes) -> Container | None:
    """Find what has no magic but repeats a frame header, maybe after junk: MP3, AAC, AC-3, DTS, a transport stream."""
    if _is_adts(file, 0):
        return Container("aac", "aac")
    if _is_loas(file):
        return Container("aac", "loas")
    if find_frame(file, 0, 1) == 0:
        return Container("mp3")
    if _is_transport_stream(file):
        return Container("mpeg-ts", "mpegts")
    stop = min(_LEADING_JUNK_BYTES, file.size)
    if (pack := find_program_stream(file, stop)) >= 0:
        return Container("mpeg-ps", "mpeg", start=pack)
    found = find_frame(file, 0, stop, in_a_row=4)
    if (raw := find_raw_stream(file, found if found >= 0 else stop)) is not None:
        return Container("aac" if raw[0] == "loas" else raw[0], raw[0], start=raw[1])
    return Container("mp3", start=found) if found >= 0 else None


def _is_transport_stream(file: FileBytes) -> bool:
    """Return whether six packets of 188 bytes (192 on cameras' cards) follow one another, the first maybe cut."""
    for packet_bytes in (188, 192):
        head = file.at(0, 6 * packet_bytes)
        if len(head) == 6 * packet_bytes and any(
            head[first::packet_bytes] == b"GGGGGG" for first in range(packet_bytes)
        ):
            return True
    return False


def _is_loas(file: FileBytes) -> bool:
    """Return whether three AAC frames of a LOAS stream follow one another."""
    offset = 0
    for _ in range(3):
        head = file.uint32(offset) >> 8
        if head >> 13 != 0x2B7:
            return False
        offset += 3 + (head & 0x1FFF)
    return True


def _is_adts(file: FileBytes, offset: int) -> bool:
    """Return whether two AAC frames with ADTS headers follow one another (one, where the file ends)."""
    for _ in range(2):
        head = file.at(offset, 7)
        if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
            return False
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        offset += max(length, 7)
        if offset >= file.size:
            return offset == file.size
    return True
