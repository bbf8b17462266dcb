using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// Marks one symbol version that a shared library needs as weak (VER_FLG_WEAK), so that the loader no longer refuses the library where it is absent.
/// It does so only when no relocation uses a symbol of that version: then nothing of it can ever be called.
/// Compiled by MSBuild against netstandard2.0, hence the plain C#. ELF64 little-endian; layouts as in the System V ABI and the Linux
/// Standard Base's symbol versioning chapter.
/// </summary>
public sealed class WeakSymbolVersion : Task
{
    private const int SectionRela = 4, SectionDynSym = 11, SectionVersionSymbols = 0x6fffffff, SectionVersionNeeds = 0x6ffffffe;
    private const ushort WeakFlag = 2;
    private const long LargestFile = 256L << 20;

    /// <summary>The library, changed in place: a new file takes its name, so that a hard link elsewhere keeps the old content.</summary>
    [Required]
    public string Library { get; set; }

    /// <summary>For example GLIBCXX_3.4.32.</summary>
    [Required]
    public string SymbolVersion { get; set; }

    private byte[] _image;

    public override bool Execute()
    {
        try
        {
            var file = new FileInfo(Library);
            if (file.Length > LargestFile)
                throw new InvalidDataException("it has " + file.Length + " bytes; at most " + LargestFile + " are read");
            var written = file.LastWriteTimeUtc;
            _image = File.ReadAllBytes(Library);
            if (!Patch())
                return true;

            var temporary = Library + ".weak";
            File.Copy(Library, temporary, overwrite: true); // takes the mode along
            File.WriteAllBytes(temporary, _image);
            // Same size and time as the package's file: the next incremental build sees nothing to copy again.
            File.SetLastWriteTimeUtc(temporary, written);
            File.Delete(Library);
            File.Move(temporary, Library);
            Log.LogMessage(MessageImportance.Normal, SymbolVersion + " made weak in " + Library);
            return true;
        }
        catch (Exception error) when (error is IOException || error is InvalidDataException || error is UnauthorizedAccessException)
        {
            Log.LogError("Could not make {0} weak in {1}: {2}. TorchSharp will not load on a system whose libstdc++ is older.", SymbolVersion, Library, error.Message);
            return false;
        }
    }

    /// <summary>True when the image was changed; false when there is nothing to do.</summary>
    private bool Patch()
    {
        if (UInt32(0) != 0x464C457F || Byte(4) != 2 || Byte(5) != 1)
            throw new InvalidDataException("it is not a 64-bit little-endian ELF file");
        var sections = Sections();
        Section needs = sections.Find(section => section.Type == SectionVersionNeeds);
        if (needs == null)
            return false;
        var strings = At(sections, needs.Link);

        var entry = FindVersion(needs, strings);
        if (entry < 0 || (UInt16(entry + 4) & WeakFlag) != 0)
            return false;
        RefuseIfUsed(sections, index: UInt16(entry + 6));
        var flags = (ushort)(UInt16(entry + 4) | WeakFlag);
        _image[entry + 4] = (byte)flags;
        _image[entry + 5] = (byte)(flags >> 8);
        return true;
    }

    /// <summary>Offset of the Vernaux entry of the wanted version, or -1.</summary>
    private long FindVersion(Section needs, Section strings)
    {
        long need = needs.Offset;
        for (var n = 0; n < needs.Info; n++)
        {
            var entry = need + UInt32(need + 8);
            for (var k = 0; k < UInt16(need + 2); k++)
            {
                if (Text(strings, UInt32(entry + 8)) == SymbolVersion)
                    return entry;
                var next = UInt32(entry + 12);
                if (next == 0)
                    break;
                entry += next;
            }

            var following = UInt32(need + 12);
            if (following == 0)
                break;
            need += following;
        }

        return -1;
    }

    private void RefuseIfUsed(List<Section> sections, ushort index)
    {
        var versions = sections.Find(section => section.Type == SectionVersionSymbols);
        if (versions == null)
            throw new InvalidDataException("it needs symbol versions but has no .gnu.version section");
        var ofVersion = new HashSet<long>();
        for (long symbol = 0; symbol < versions.Size / 2; symbol++)
            if ((UInt16(versions.Offset + 2 * symbol) & 0x7fff) == index)
                ofVersion.Add(symbol);

        foreach (var section in sections)
        {
            if (section.Type != SectionRela || At(sections, section.Link).Type != SectionDynSym)
                continue;
            for (long k = 0; k < section.Size / 24; k++)
                if (ofVersion.Contains(UInt32(section.Offset + 24 * k + 12)))
                    throw new InvalidDataException("a relocation uses a symbol of that version, so it is really needed; install a newer libstdc++");
        }
    }

    private List<Section> Sections()
    {
        long offset = checked((long)UInt64(0x28));
        int size = UInt16(0x3A), count = UInt16(0x3C);
        if (size < 64)
            throw new InvalidDataException("its section headers have " + size + " bytes, 64 are expected");
        var sections = new List<Section>(count);
        for (var k = 0; k < count; k++)
        {
            var header = offset + (long)k * size;
            sections.Add(new Section
            {
                Type = (int)UInt32(header + 4),
                Offset = checked((long)UInt64(header + 24)),
                Size = checked((long)UInt64(header + 32)),
                Link = (int)UInt32(header + 40),
                Info = UInt32(header + 44),
            });
        }

        return sections;
    }

    private static Section At(List<Section> sections, int index)
    {
        if (index < 0 || index >= sections.Count)
            throw new InvalidDataException("a section links to section " + index + " of " + sections.Count);
        return sections[index];
    }

    private string Text(Section strings, uint offset)
    {
        var start = strings.Offset + offset;
        var end = start;
        while (Byte(end) != 0)
            end++;
        return Encoding.ASCII.GetString(_image, (int)start, (int)(end - start));
    }

    private byte Byte(long offset)
    {
        if (offset < 0 || offset >= _image.Length)
            throw new InvalidDataException("it points outside of itself, to byte " + offset + " of " + _image.Length);
        return _image[offset];
    }

    private ushort UInt16(long offset) => (ushort)(Byte(offset) | Byte(offset + 1) << 8);

    private uint UInt32(long offset) => UInt16(offset) | (uint)UInt16(offset + 2) << 16;

    private ulong UInt64(long offset) => UInt32(offset) | (ulong)UInt32(offset + 4) << 32;

    private sealed class Section
    {
        public int Type, Link;
        public long Offset, Size;
        public uint Info;
    }
}
