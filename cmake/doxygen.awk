# Doxygen's filter for the public headers: their comments in its spelling.

# "<prefix>_load_u8" is no tag, and "mf_" begins no emphasis; examples, which are four columns in, stay as they are.
function escape(text) {
    if (text ~ /^ \*     /)
        return text
    gsub(/</, "\\<", text)
    gsub(/>_/, ">\\_", text)
    gsub(/_"/, "\\_\"", text)
    return text
}

function print_comment(text) {
    comment = comment text "\n"
    print text
}

# "---- Life ----" begins a part of a header, and is about nothing.
/^\/\* -+ .* -+ \*\/$/ { print ""; next }

# The first comment is about the file.
FNR == 1 && /^\/\*/ { print "/** @file"; in_comment = 1; $0 = " *" substr($0, 3) }
# A comment of its own line is about what follows, one behind code about what stands before it.
!in_comment && /^\/\*( |$)/ { comment = ""; in_comment = 1; sub(/\/\*/, "/**") }
!in_comment && /^ +\/\*( |$)/ { in_comment = 1; sub(/\/\*/, "/**") }
!in_comment && /[,;{}] +\/\* / {
    at = index($0, "/* ")
    print substr($0, 1, at - 1) "/**< " escape(substr($0, at + 3))
    in_comment = $0 !~ /\*\//
    next
}
in_comment {
    print_comment(escape($0))
    in_comment = $0 !~ /\*\//
    has_ended = 0
    next
}

# It is also about the declarations that follow the first one without a blank line.
/^$/ { comment = ""; has_ended = 0 }
has_ended && /^[A-Za-z#]/ && comment != "" { printf "%s", comment; has_ended = 0 }
/;$/ { has_ended = $0 !~ /^ .*[^)];$/ }
/^#define.*[^\\]$/ { has_ended = 1 }
{ print }
