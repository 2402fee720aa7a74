#include "layout/yaml_events.h"

#include "layout/contents.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void diag_place(mf_diag *diag, yaml_mark_t mark) {
    diag->line = (uint32_t)mark.line + 1;
    diag->column = (uint32_t)mark.column + 1;
}

mf_status events_fail(const events *events, yaml_mark_t mark, mf_status status, uint64_t value,
                      const char *format, ...) {
    char message[sizeof events->diag->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    mf_diag_set(events->diag, status, value, "%s", message);
    diag_place(events->diag, mark);
    return status;
}

/* The place of a byte: libyaml gives no mark for bytes that are not characters of a YAML text. */
static yaml_mark_t mark_of_offset(const source *source, size_t offset) {
    yaml_mark_t mark = {.index = offset};
    for (size_t i = 0; i < offset && i < source->byte_count; i++) {
        bool ends_line = source->bytes[i] == '\n';
        mark.line += ends_line;
        mark.column = ends_line ? 0 : mark.column + 1;
    }
    return mark;
}

static mf_status fail_syntax(const events *events) {
    const yaml_parser_t *parser = &events->parser;
    const char *problem = parser->problem != NULL ? parser->problem : "unreadable text";
    switch (parser->error) {
    case YAML_MEMORY_ERROR:
        return diag_out_of_memory(events->diag);
    case YAML_READER_ERROR:
        return events_fail(events, mark_of_offset(events->source, parser->problem_offset), MF_BAD_INPUT, 0,
                           "not YAML: %s", problem);
    default:
        return events_fail(events, parser->problem_mark, MF_BAD_INPUT, 0, "not YAML: %s%s%s", problem,
                           parser->context != NULL ? " " : "",
                           parser->context != NULL ? parser->context : "");
    }
}

mf_status events_init(events *e, const source *source, mf_diag *diag) {
    *e = (events){.source = source, .diag = diag};
    if (!yaml_parser_initialize(&e->parser))
        return diag_out_of_memory(diag);
    yaml_parser_set_input_string(&e->parser, source->bytes, source->byte_count);
    return MF_OK;
}

void events_fini(events *events) {
    yaml_event_delete(&events->event);
    yaml_parser_delete(&events->parser);
}

static bool has_tag(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return event->data.scalar.tag != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.tag != NULL;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.tag != NULL;
    default:
        return false;
    }
}

mf_status events_next(events *events) {
    yaml_event_delete(&events->event);
    if (!yaml_parser_parse(&events->parser, &events->event))
        return fail_syntax(events);
    yaml_mark_t mark = events->event.start_mark;
    if (events->event.type == YAML_ALIAS_EVENT)
        return events_fail(events, mark, MF_BAD_INPUT, 0, "aliases are not allowed");
    if (has_tag(&events->event))
        return events_fail(events, mark, MF_BAD_INPUT, 0, "tags are not allowed");
    return MF_OK;
}

const char *events_kind(const events *events) {
    switch (events->event.type) {
    case YAML_SCALAR_EVENT:
        return "a scalar";
    case YAML_SEQUENCE_START_EVENT:
        return "a sequence";
    case YAML_MAPPING_START_EVENT:
        return "a mapping";
    default:
        return "nothing";
    }
}

/* Not iscntrl: the answer must not depend on the host's locale. */
static bool is_control(unsigned char byte) {
    return byte < 0x20 || byte == 0x7f;
}

excerpt events_excerpt(const events *events) {
    const unsigned char *text = events->event.data.scalar.value;
    size_t length = events->event.data.scalar.length;
    size_t count = length;
    if (count >= EXCERPT_BYTES) {
        count = EXCERPT_BYTES - sizeof "...";
        while (count > 0 && (text[count] & 0xC0) == 0x80) /* not inside a UTF-8 sequence */
            count--;
    }
    excerpt made = {{0}};
    for (size_t i = 0; i < count; i++)
        made.text[i] = is_control(text[i]) ? '?' : (char)text[i];
    if (count < length)
        strcat(made.text, "...");
    return made;
}

typedef enum number_form { NUMBER_OK, NUMBER_NEGATIVE, NUMBER_TOO_LARGE, NUMBER_MALFORMED } number_form;

/* At least one digit of `base`, and nothing else. */
static number_form parse_digits(const char *digits, size_t count, unsigned base, uint64_t *number) {
    static const char LOWER[] = "0123456789abcdef", UPPER[] = "0123456789ABCDEF";
    number_form form = count > 0 ? NUMBER_OK : NUMBER_MALFORMED;
    *number = 0;
    for (size_t i = 0; i < count; i++) {
        const char *in_lower = memchr(LOWER, digits[i], base);
        const char *in_upper = memchr(UPPER, digits[i], base);
        if (in_lower == NULL && in_upper == NULL)
            return NUMBER_MALFORMED;
        uint64_t digit = (uint64_t)(in_lower != NULL ? in_lower - LOWER : in_upper - UPPER);
        if (*number > (UINT64_MAX - digit) / base)
            form = NUMBER_TOO_LARGE;
        *number = *number * base + digit;
    }
    return form;
}

static number_form parse_unsigned(const char *text, size_t count, uint64_t *number) {
    if (count > 2 && text[0] == '0' && text[1] == 'x')
        return parse_digits(text + 2, count - 2, 16, number);
    return parse_digits(text, count, 10, number);
}

static number_form parse_number(const char *text, size_t count, uint64_t *number) {
    bool negative = count > 1 && text[0] == '-';
    number_form form = parse_unsigned(text + negative, count - negative, number);
    return negative && form != NUMBER_MALFORMED ? NUMBER_NEGATIVE : form;
}

static mf_status expect_scalar(const events *events, const char *key, const char *what) {
    if (events->event.type == YAML_SCALAR_EVENT)
        return MF_OK;
    return events_fail(events, events->event.start_mark, MF_BAD_INPUT, 0, "'%s' must be %s, not %s", key,
                       what, events_kind(events));
}

mf_status events_read_number(const events *events, const char *key, uint64_t *number) {
    mf_status status = expect_scalar(events, key, "a number");
    if (status != MF_OK)
        return status;
    yaml_mark_t mark = events->event.start_mark;
    excerpt shown = events_excerpt(events);
    if (events->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return events_fail(events, mark, MF_BAD_INPUT, 0, "'%s' must be a number, not the text '%s'", key,
                           shown.text);
    const char *text = (const char *)events->event.data.scalar.value;
    switch (parse_number(text, events->event.data.scalar.length, number)) {
    case NUMBER_OK:
        return MF_OK;
    case NUMBER_NEGATIVE:
        return events_fail(events, mark, MF_BAD_INPUT, 0, "'%s' is negative: %s", key, shown.text);
    case NUMBER_TOO_LARGE:
        return events_fail(events, mark, MF_BAD_INPUT, 0, "'%s' does not fit in 64 bits: %s", key,
                           shown.text);
    default:
        return events_fail(events, mark, MF_BAD_INPUT, 0,
                           "'%s' must be a number, decimal or 0x hex, not '%s'", key, shown.text);
    }
}

mf_status events_read_text(const events *events, const char *key, char **text) {
    mf_status status = expect_scalar(events, key, "text");
    if (status != MF_OK)
        return status;
    yaml_mark_t mark = events->event.start_mark;
    const unsigned char *value = events->event.data.scalar.value;
    size_t length = events->event.data.scalar.length;
    if (length == 0)
        return events_fail(events, mark, MF_BAD_INPUT, 0, "'%s' is empty", key);
    for (size_t i = 0; i < length; i++)
        if (is_control(value[i]))
            return events_fail(events, mark, MF_BAD_INPUT, value[i],
                               "'%s' contains the control character 0x%02x", key, value[i]);
    *text = text_copy((const char *)value, length, events->diag);
    return *text != NULL ? MF_OK : MF_OUT_OF_MEMORY;
}
