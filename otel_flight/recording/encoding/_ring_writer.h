/* How a span is written into a lane: msgpack, the record, and the lane itself; for all that is in C.
 * What is said at the top of `_hot_path.c` holds for whoever calls `write_span`. */

#ifndef OTEL_FLIGHT_RING_WRITER_H
#define OTEL_FLIGHT_RING_WRITER_H

#include <Python.h>
#if PY_VERSION_HEX < 0x030b0000
#include <longintrepr.h>
#endif
#include <structmember.h>
#include <stdint.h>
#include <string.h>

#include "../../redaction/_telltales.h"

enum { SCOPE_NUMBER, SCOPE_RESOURCE }; /* of scope_table.ScopeEntry */
enum { CONTEXT_TRACE_ID, CONTEXT_SPAN_ID, CONTEXT_IS_REMOTE, CONTEXT_FLAGS, CONTEXT_STATE };
enum { MAX_DEPTH = 4, SPAN_KINDS = 5 };

/* The fields of the records that put_span writes, in its order; of a start all but the last. */
static const char *const SPAN_FIELDS[] = {
    "trace_id_high", "trace_id_low", "span_id", "parent_span_id", "flags", "scope", "name", "kind",
    "start_ns", "end_ns", "attributes", "events", "links", "status", "extras"};
static const char *const START_FIELDS[] = {
    "trace_id_high", "trace_id_low", "span_id", "parent_span_id", "flags", "scope", "name", "kind",
    "start_ns", "thread_id", "attributes"};
static const char *const ENTRY_FIELDS[] = {"number", "resource", "scope"};

#define LENGTH(names) ((Py_ssize_t)(sizeof(names) / sizeof(names)[0]))
enum { START_FIELDS_LEFT_OUT = 1 };

/* The slots of a lane_writer.LaneWriter that are used here. */
#define SLOTS(X)                                                                                   \
    X(_turn) X(_overflow) X(_commit) X(_base) X(_commit_word) X(_defined) X(_memory)
#define SLOT_FIELD(name) Py_ssize_t offset##name;

typedef struct {
    PyObject_HEAD
    PyObject *lane;
    PyObject *scope_entries;
    PyObject *default_state;
    PyObject *kinds; /* members of SpanKind by their value */
    Telltales *telltales; /* NULL: everything is written as it is */
    unsigned char span_number; /* what a record begins with */
    unsigned char start_number;
    unsigned long remote_parent; /* the flag of a span whose parent is remote */
    Py_ssize_t record_limit;
    Py_ssize_t payload_bytes;
    uint64_t length_mask;
    uint64_t one_record;
    SLOTS(SLOT_FIELD)
} SpanWriter;

#define SLOT(self, name) (*(PyObject **)((char *)(self)->lane + (self)->offset##name))

/* Finds where objects of a type have one of its `__slots__`. */
static int
find_slot(PyObject *type, const char *name, Py_ssize_t *offset)
{
    PyObject *descriptor = PyObject_GetAttrString(type, name);
    if (descriptor == NULL) {
        return -1;
    }
    int is_slot = Py_TYPE(descriptor) == &PyMemberDescr_Type;
    if (is_slot) {
        *offset = ((PyMemberDescrObject *)descriptor)->d_member->offset;
    } else {
        PyErr_Format(PyExc_TypeError, "%s is no slot", name);
    }
    Py_DECREF(descriptor);
    return is_slot ? 0 : -1;
}

/* ---- msgpack -------------------------------------------------------------------------------- */

typedef struct {
    unsigned char *at;
    unsigned char *end;
    int is_full; /* something had no room */
    Telltales *telltales; /* as the SpanWriter has it */
} Writer;

static inline int
has_room(Writer *out, Py_ssize_t bytes)
{
    if (out->end - out->at >= bytes) {
        return 1;
    }
    out->is_full = 1;
    return 0;
}

static inline void
put_big_endian(Writer *out, uint64_t value, int bytes)
{
#ifdef __GNUC__
    if (bytes == 8) {
        value = PY_BIG_ENDIAN ? value : __builtin_bswap64(value);
        memcpy(out->at, &value, 8);
        out->at += 8;
        return;
    }
#endif
    for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
        *out->at++ = (unsigned char)(value >> shift);
    }
}

static inline int
put_unsigned(Writer *out, uint64_t value)
{
    if (!has_room(out, 9)) {
        return 0;
    }
    if (value < 0x80) {
        *out->at++ = (unsigned char)value;
    } else if (value <= UINT8_MAX) {
        *out->at++ = 0xcc;
        put_big_endian(out, value, 1);
    } else if (value <= UINT16_MAX) {
        *out->at++ = 0xcd;
        put_big_endian(out, value, 2);
    } else if (value <= UINT32_MAX) {
        *out->at++ = 0xce;
        put_big_endian(out, value, 4);
    } else {
        *out->at++ = 0xcf;
        put_big_endian(out, value, 8);
    }
    return 1;
}

static inline int
put_signed(Writer *out, int64_t value)
{
    if (value >= 0) {
        return put_unsigned(out, (uint64_t)value);
    }
    if (!has_room(out, 9)) {
        return 0;
    }
    if (value >= -32) {
        *out->at++ = (unsigned char)value;
    } else if (value >= INT8_MIN) {
        *out->at++ = 0xd0;
        put_big_endian(out, (uint64_t)value, 1);
    } else if (value >= INT16_MIN) {
        *out->at++ = 0xd1;
        put_big_endian(out, (uint64_t)value, 2);
    } else if (value >= INT32_MIN) {
        *out->at++ = 0xd2;
        put_big_endian(out, (uint64_t)value, 4);
    } else {
        *out->at++ = 0xd3;
        put_big_endian(out, (uint64_t)value, 8);
    }
    return 1;
}

/* Writes the head of a string, list or map of `size` items. `fix` is the type byte of a short one,
 * `fix_limit` how long that may be, `wide` the type byte of one with a 16-bit size; `wide` + 1 has
 * 32 bits. Strings of 32 to 255 bytes have a type byte of their own. */
static inline int
put_head(Writer *out, size_t size, unsigned char fix, size_t fix_limit, unsigned char wide)
{
    if (!has_room(out, 5)) {
        return 0;
    }
    if (size < fix_limit) {
        *out->at++ = (unsigned char)(fix | size);
    } else if (wide == 0xda && size <= UINT8_MAX) {
        *out->at++ = 0xd9;
        put_big_endian(out, size, 1);
    } else if (size <= UINT16_MAX) {
        *out->at++ = wide;
        put_big_endian(out, size, 2);
    } else {
        *out->at++ = (unsigned char)(wide + 1);
        put_big_endian(out, size, 4);
    }
    return 1;
}

static inline int
put_bytes(Writer *out, const char *data, Py_ssize_t size)
{
    if (!put_head(out, (size_t)size, 0xa0, 32, 0xda) || !has_room(out, size)) {
        return 0;
    }
    memcpy(out->at, data, (size_t)size);
    out->at += size;
    return 1;
}

/* Whether a string, which is a name or not, is to be looked at by the Python code first. */
static inline int
is_left(Writer *out, PyObject *text, const char *data, Py_ssize_t size, int is_name)
{
    return out->telltales != NULL && !is_known_harmless(out->telltales, text, is_name)
        && is_suspected(out->telltales, text, data, size, is_name);
}

static inline int
put_string(Writer *out, PyObject *text, int is_name)
{
    if (PyUnicode_IS_COMPACT_ASCII(text)) {
        const char *data = (const char *)PyUnicode_1BYTE_DATA(text);
        Py_ssize_t size = PyUnicode_GET_LENGTH(text);
        return !is_left(out, text, data, size, is_name) && put_bytes(out, data, size);
    }
    if (!has_room(out, PyUnicode_GET_LENGTH(text))) { /* before megabytes of it are encoded */
        return 0;
    }
    /* Not PyUnicode_AsUTF8AndSize: the host's string would keep a second copy of itself. */
    PyObject *encoded = PyUnicode_AsUTF8String(text);
    if (encoded == NULL) { /* half a character, or no memory */
        return 0;
    }
    const char *data = PyBytes_AS_STRING(encoded);
    Py_ssize_t size = PyBytes_GET_SIZE(encoded);
    int is_done = !is_left(out, text, data, size, is_name) && put_bytes(out, data, size);
    Py_DECREF(encoded);
    return is_done;
}

/* Takes a number apart into 64 bits and the 64 above them; returns 0 when it is negative or larger,
 * or when the interpreter keeps numbers in a way that is not known here. */
static inline int
halves_of(PyObject *number, uint64_t *high, uint64_t *low)
{
#if PY_VERSION_HEX < 0x030c0000
    Py_ssize_t count = Py_SIZE(number);
    const digit *digits = ((PyLongObject *)number)->ob_digit;
#elif PY_VERSION_HEX < 0x03100000
    uintptr_t tag = ((PyLongObject *)number)->long_value.lv_tag;
    Py_ssize_t count = (tag & 3) == 2 ? -1 : (Py_ssize_t)(tag >> 3);
    const digit *digits = ((PyLongObject *)number)->long_value.ob_digit;
#else
    Py_ssize_t count = -1;
    const digit *digits = ((void)number, NULL);
#endif
    *high = *low = 0;
    while (count > 0) {
        if (*high >> (64 - PyLong_SHIFT)) {
            return 0;
        }
        *high = *high << PyLong_SHIFT | *low >> (64 - PyLong_SHIFT);
        *low = *low << PyLong_SHIFT | digits[--count];
    }
    return count == 0;
}

/* Returns a number from 0 to 2**64 - 1; anything else sets an exception. */
static inline uint64_t
number_of(PyObject *number)
{
    uint64_t high, low;
    if (halves_of(number, &high, &low) && high == 0) {
        return low;
    }
    return PyLong_AsUnsignedLongLong(number);
}

static inline int
put_integer(Writer *out, PyObject *number)
{
    uint64_t high, low;
    if (halves_of(number, &high, &low)) {
        return high == 0 && put_unsigned(out, low);
    }
    int overflow = 0;
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow == 0) {
        return !(value == -1 && PyErr_Occurred()) && put_signed(out, value);
    }
    if (overflow < 0) {
        return 0;
    }
    unsigned long long large = PyLong_AsUnsignedLongLong(number);
    return !(large == (unsigned long long)-1 && PyErr_Occurred()) && put_unsigned(out, large);
}

static int put_map(Writer *out, PyObject *map, int depth);

static int
put_value(Writer *out, PyObject *value, int depth)
{
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type) {
        return PyUnicode_READY(value) == 0 && put_string(out, value, 0);
    }
    if (type == &PyLong_Type) {
        return put_integer(out, value);
    }
    if (type == &PyBool_Type || value == Py_None) {
        if (!has_room(out, 1)) {
            return 0;
        }
        *out->at++ = value == Py_True ? 0xc3 : value == Py_False ? 0xc2 : 0xc0;
        return 1;
    }
    if (type == &PyFloat_Type) {
        if (!has_room(out, 9)) {
            return 0;
        }
        double number = PyFloat_AS_DOUBLE(value);
        uint64_t bits;
        memcpy(&bits, &number, sizeof bits);
        *out->at++ = 0xcb;
        put_big_endian(out, bits, 8);
        return 1;
    }
    if (depth >= MAX_DEPTH || (type == &PyBytes_Type && !has_room(out, PyBytes_GET_SIZE(value)))) {
        return 0;
    }
    if (type == &PyTuple_Type || type == &PyList_Type) {
        Py_ssize_t size = PySequence_Fast_GET_SIZE(value);
        if (!put_head(out, (size_t)size, 0x90, 16, 0xdc)) {
            return 0;
        }
        for (Py_ssize_t index = 0; index < size; index++) {
            if (!put_value(out, PySequence_Fast_GET_ITEM(value, index), depth + 1)) {
                return 0;
            }
        }
        return 1;
    }
    return type == &PyDict_Type && put_map(out, value, depth + 1);
}

static int
put_map(Writer *out, PyObject *map, int depth)
{
    if (!put_head(out, (size_t)PyDict_GET_SIZE(map), 0x80, 16, 0xde)) {
        return 0;
    }
    PyObject *key, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(map, &position, &key, &value)) {
        if (Py_TYPE(key) != &PyUnicode_Type || PyUnicode_READY(key) != 0 || !put_string(out, key, 1)
            || !put_value(out, value, depth)) {
            return 0;
        }
    }
    return 1;
}

/* ---- a span --------------------------------------------------------------------------------- */

/* What is written of a span; of its start, no end and no attributes. */
typedef struct {
    PyObject *trace_id, *span_id;
    PyObject *parent_id; /* NULL: it has no parent */
    unsigned long flags; /* that of a remote parent among them */
    PyObject *resource, *scope, *name, *kind;
    uint64_t start_ns, end_ns;
    PyObject *attributes; /* a dict; NULL: there are none */
    PyObject *thread_id; /* of a start alone */
} Fields;

/* Returns the number of the span's scope, borrowed from the table; NULL when it has none yet. */
static PyObject *
scope_number(SpanWriter *self, const Fields *fields)
{
    PyObject *key = PyLong_FromVoidPtr(fields->scope);
    PyObject *entry = key == NULL ? NULL : PyDict_GetItemWithError(self->scope_entries, key);
    Py_XDECREF(key);
    if (entry == NULL || !PyTuple_Check(entry) || PyTuple_GET_SIZE(entry) <= SCOPE_RESOURCE
        || PyTuple_GET_ITEM(entry, SCOPE_RESOURCE) != fields->resource) {
        return NULL;
    }
    return PyTuple_GET_ITEM(entry, SCOPE_NUMBER);
}

static int
put_trace_id(Writer *out, PyObject *trace_id)
{
    uint64_t high, low;
    if (halves_of(trace_id, &high, &low)) {
        return put_unsigned(out, high) && put_unsigned(out, low);
    }
    PyObject *sixty_four = PyLong_FromLong(64);
    PyObject *above = sixty_four == NULL ? NULL : PyNumber_Rshift(trace_id, sixty_four);
    Py_XDECREF(sixty_four);
    if (above == NULL) {
        return 0;
    }
    int is_done = put_integer(out, above);
    Py_DECREF(above);
    return is_done && put_unsigned(out, PyLong_AsUnsignedLongLongMask(trace_id));
}

/* Begins a record: a list of its number and its fields. */
static inline int
put_record_head(SpanWriter *self, Writer *out, int is_start)
{
    Py_ssize_t fields = is_start ? LENGTH(START_FIELDS) - START_FIELDS_LEFT_OUT
                                 : LENGTH(SPAN_FIELDS);
    return put_head(out, (size_t)fields + 1, 0x90, 16, 0xdc)
        && put_unsigned(out, is_start ? self->start_number : self->span_number);
}

static int
put_span(SpanWriter *self, Writer *out, const Fields *fields, PyObject *scope)
{
    long kind = 0;
    while (kind < SPAN_KINDS && PyTuple_GET_ITEM(self->kinds, kind) != fields->kind) {
        kind++;
    }
    if (kind == SPAN_KINDS || !put_record_head(self, out, fields->thread_id != NULL)
        || !put_trace_id(out, fields->trace_id)
        || !put_value(out, fields->span_id, MAX_DEPTH)
        || !(fields->parent_id == NULL ? put_unsigned(out, 0)
                                       : put_value(out, fields->parent_id, MAX_DEPTH))
        || !put_unsigned(out, fields->flags)
        || !put_value(out, scope, MAX_DEPTH)
        || !put_value(out, fields->name, MAX_DEPTH)
        || !put_unsigned(out, (uint64_t)kind)
        || !put_unsigned(out, fields->start_ns)) {
        return 0;
    }
    if (fields->thread_id != NULL) {
        return put_value(out, fields->thread_id, MAX_DEPTH);
    }
    if (!put_unsigned(out, fields->end_ns)
        || !(fields->attributes == NULL ? put_head(out, 0, 0x80, 16, 0xde)
                                        : put_map(out, fields->attributes, 0))
        || !has_room(out, 4)) {
        return 0;
    }
    *out->at++ = 0x90; /* no events */
    *out->at++ = 0x90; /* no links */
    *out->at++ = 0;    /* status UNSET */
    *out->at++ = 0xc0; /* nothing rare */
    return 1;
}

/* ---- the lane ------------------------------------------------------------------------------- */

/* Whether nobody else is writing, or waiting to be written. */
static int
is_lane_free(SpanWriter *self)
{
    PyObject *turn = SLOT(self, _turn), *overflow = SLOT(self, _overflow);
    return turn != NULL && PyDict_CheckExact(turn) && PyDict_GET_SIZE(turn) == 1
        && overflow != NULL && PyObject_Size(overflow) == 0;
}

/* What became of a span. */
typedef enum { LEFT, WRITTEN, HAD_NO_ROOM } Outcome;

static Outcome
write_record(SpanWriter *self, const Fields *fields, PyObject *scope, Py_buffer *memory)
{
    uint64_t commit = number_of(SLOT(self, _commit));
    Py_ssize_t base = (Py_ssize_t)number_of(SLOT(self, _base));
    Py_ssize_t commit_word = (Py_ssize_t)number_of(SLOT(self, _commit_word));
    Py_ssize_t used = (Py_ssize_t)(commit & self->length_mask);
    Py_ssize_t room = self->payload_bytes - used;
    if (PyErr_Occurred() || room <= 0 || base + self->payload_bytes > memory->len
        || (commit_word + 1) * (Py_ssize_t)sizeof commit > memory->len) {
        return LEFT;
    }
    unsigned char *start = (unsigned char *)memory->buf + base + used;
    Writer out = {start, start + (room < self->record_limit ? room : self->record_limit), 0,
                  self->telltales};
    if (!put_span(self, &out, fields, scope)) {
        return out.is_full ? HAD_NO_ROOM : LEFT;
    }
    commit += (uint64_t)(out.at - start) + self->one_record;
    PyObject *committed = PyLong_FromUnsignedLongLong(commit);
    if (committed == NULL) {
        return LEFT;
    }
    uint64_t *word = (uint64_t *)memory->buf + commit_word;
    __atomic_store_n(word, commit, __ATOMIC_RELEASE);
    Py_SETREF(SLOT(self, _commit), committed);
    return WRITTEN;
}

/* If it was not written, nothing was changed, and an exception may be set. */
static Outcome
write_span(SpanWriter *self, const Fields *fields)
{
    PyObject *scope = scope_number(self, fields);
    PyObject *memory_object = SLOT(self, _memory), *defined = SLOT(self, _defined);
    Py_buffer memory;
    if (scope == NULL || memory_object == NULL || memory_object == Py_None || defined == NULL
        || !PyDict_CheckExact(defined) || PyDict_Contains(defined, scope) != 1 || !is_lane_free(self)
        || PyObject_GetBuffer(memory_object, &memory, PyBUF_WRITABLE) != 0) {
        return LEFT;
    }
    Outcome outcome = write_record(self, fields, scope, &memory);
    PyBuffer_Release(&memory);
    return outcome;
}

#endif
