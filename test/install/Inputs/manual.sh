# Prints the pages below a prefix, then whatever groff says of them, and the functions of the headers that none has.
cd "$1/share/man" || exit
ls man*/*
groff -man -ww -z -Tutf8 man*/* 2>&1
for page in man3/*; do groff -man -Tascii -P-cbou "$page"; done >../text
functions=$(grep -hoE '^[a-z].*[ *](mf_[a-z0-9_]+)\(' ../../include/memfold/*.h | sed 's/($//; s/.*[ *]//' | sort -u)
echo "looked for $(wc -w <<<"$functions") functions"
for function in $functions; do grep -q "$function(" ../text || echo "missing: $function"; done
for header in ../../include/memfold/*.h; do
    name=${header##*/}
    case $name in public.h | memfold.h | memfold-ffi.h) continue ;; esac
    grep -q "#include <memfold/$name>" ../text || echo "missing: $name"
done
