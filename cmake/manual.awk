# Makes a page of section 3 of the manual from public headers: of each its first comment, then its declarations, each
# under its comment. -v page=memfold-jit -v version=... -v date=... -v summary=... -v link=...

function escape(text) {
    gsub(/\\/, "\\e", text)
    gsub(/-/, "\\-", text)
    sub(/^[.']/, "\\\\\\&&", text)
    return text
}

# A line of a comment, without the star: text that is filled, or, four columns in, an example that is not.
function print_comment_line(line) {
    if (line ~ /^    /) {
        if (!in_example)
            print ".PP\n.EX"
        in_example = 1
        print escape(line)
        return
    }
    if (line == "" && in_example) {
        held_blank = 1
        return
    }
    if (in_example)
        print ".EE"
    in_example = 0
    print line == "" ? ".PP" : escape(line)
}

function end_comment() {
    if (in_example)
        print ".EE"
    in_example = held_blank = 0
}

function print_comment(    i) {
    # "---- Life ----" begins a part of a header.
    if (comment_lines == 1 && comment[0] ~ /^-+ .* -+$/) {
        gsub(/^-+ | -+$/, "", comment[0])
        print ".SS " escape(comment[0])
        comment_lines = 0
        return
    }
    for (i = 0; i < comment_lines; i++) {
        # A blank line within an example stays; behind one it begins a paragraph.
        if (held_blank)
            print comment[i] ~ /^    /  ? "" : ".EE\n.PP"
        if (held_blank && comment[i] !~ /^    /)
            in_example = 0
        held_blank = 0
        print_comment_line(comment[i])
    }
    end_comment()
    comment_lines = 0
}

function end_code() {
    if (in_code)
        print ".EE"
    in_code = 0
}

function add_comment(line) {
    sub(/ *\*\/$/, "", line)
    if (substr(line, 1, 2) == " *")
        line = substr(line, 3)
    if (substr(line, 1, 1) == " ")
        line = substr(line, 2)
    if (line != "" || comment_lines > 0)
        comment[comment_lines++] = line
}

# The header's own comment is followed by its guard; every other by what it is about.
function begin_declaration() {
    if (comment_lines == 0)
        return
    print ".PP"
    print_comment()
}

BEGIN {
    printf ".TH %s 3 \"%s\" \"memfold %s\" \"Library Functions Manual\"\n", toupper(page), date, version
    printf ".ad l\n.nh\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.nf\n", escape(page), escape(summary)
    for (i = 1; i < ARGC; i++)
        if (ARGV[i] !~ /=/) {
            name = ARGV[i]
            sub(/.*\//, "", name)
            printf ".B #include <memfold/%s>\n", name
        }
    printf ".PP\n%s\n.fi\n", escape(link)
}

FNR == 1 {
    end_code()
    name = FILENAME
    sub(/.*\//, "", name)
    printf ".SH %s\n", toupper(name)
    is_first = 1
    in_comment = 0
}

# Comments that begin a line of their own. One that another follows, as that of a part does, stands alone.
!in_comment && /^\/\*/ {
    end_code()
    begin_declaration()
    line = substr($0, 3)
    in_comment = line !~ /\*\//
    add_comment(line)
    next
}
in_comment {
    in_comment = $0 !~ /\*\//
    add_comment($0)
    next
}

# What is the compiler's alone.
/^#(ifndef|define) MEMFOLD_[A-Z_0-9]+_H/ || /^#include/ || /^#endif/ && !in_code || /^MF_PUBLIC_/ { next }
/^MF_STATIC_ASSERT/ { skips = 1 }
skips { skips = $0 !~ /;$/; next }
/^$/ { end_code(); next }

{
    if (is_first || comment_lines > 0) {
        begin_declaration()
        is_first = 0
    }
    if (!in_code)
        print ".PP\n.EX"
    in_code = 1
    print escape($0)
}

END {
    end_code()
    print ".SH SEE ALSO\n.BR memfold (1)"
    count = split(others, other, " ")
    for (i = 1; i <= count; i++)
        if (other[i] != page)
            printf ".BR %s (3)\n", other[i]
    print ".BR memfold\\-yaml (5)"
}
