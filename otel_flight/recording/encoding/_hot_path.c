/* The hot path in C: what fast_encoder.py and lane_writer.py do for an ordinary span, without the
 * interpreter. Optional: without it, or for a span that is not ordinary, the Python code does the
 * same, and it stays the one description of what is to happen.
 *
 * Why this takes no turn (lane_writer.py): from the look whether one is free to the commit, nothing
 * here runs Python code, releases the GIL or makes an object that garbage collection knows. So no
 * other thread, signal handler or finalizer can come between. Whatever could do so, such as an
 * attribute of another type, is left to the Python code before anything was changed.
 *
 * What it writes by position is what the record types say: a writer is given their fields when it is
 * made, and refuses to be made when they are not those that it writes.
 *
 * The record is written behind the last commit, straight into the ring; only the commit word, which
 * is stored last, makes it part of the lane (ring/layout.py). A record that turns out not to fit is
 * left there uncommitted.
 *
 * The span's fields come as arguments: the interpreter reads an attribute in a third of the time
 * that PyObject_GetAttr takes. Numbers are read by their digits. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_ring_writer.h"

/* What `write` is called with, in this order; `write_start` has the thread after the start time. */
enum { CONTEXT, PARENT, RESOURCE, SCOPE, NAME, KIND, START, END, ATTRIBUTES, WRITE_ARGUMENTS };
enum { THREAD = START + 1, WRITE_START_ARGUMENTS };

static inline int
is_context(PyObject *context)
{
    return PyTuple_Check(context) && PyTuple_GET_SIZE(context) > CONTEXT_STATE;
}

/* Takes what a writer was called with apart; returns whether the span is an ordinary one. */
static inline int
read_fields(SpanWriter *self, Fields *fields, PyObject *const *given)
{
    PyObject *context = given[CONTEXT], *parent = given[PARENT];
    if (!is_context(context) || !(parent == Py_None || is_context(parent))
        || PyTuple_GET_ITEM(context, CONTEXT_STATE) != self->default_state
        || !PyLong_Check(PyTuple_GET_ITEM(context, CONTEXT_FLAGS))
        || !PyUnicode_CheckExact(given[NAME]) || !PyLong_CheckExact(given[START])) {
        return 0;
    }
    fields->trace_id = PyTuple_GET_ITEM(context, CONTEXT_TRACE_ID);
    fields->span_id = PyTuple_GET_ITEM(context, CONTEXT_SPAN_ID);
    fields->flags = PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(context, CONTEXT_FLAGS)) & 0xff;
    if (parent != Py_None) {
        PyObject *is_remote = PyTuple_GET_ITEM(parent, CONTEXT_IS_REMOTE);
        if (!PyBool_Check(is_remote)) {
            return 0;
        }
        fields->parent_id = PyTuple_GET_ITEM(parent, CONTEXT_SPAN_ID);
        fields->flags |= is_remote == Py_True ? self->remote_parent : 0;
    }
    fields->resource = given[RESOURCE];
    fields->scope = given[SCOPE];
    fields->name = given[NAME];
    fields->kind = given[KIND];
    fields->start_ns = number_of(given[START]);
    return PyLong_CheckExact(fields->trace_id) && !PyErr_Occurred();
}

static PyObject *
answer(Outcome outcome)
{
    if (outcome == WRITTEN) {
        Py_RETURN_TRUE;
    }
    PyErr_Clear();
    if (outcome == HAD_NO_ROOM) {
        Py_RETURN_NONE;
    }
    Py_RETURN_FALSE;
}

static int
are_arguments(SpanWriter *self, Py_ssize_t count, Py_ssize_t wanted)
{
    if (count != wanted || self->lane == NULL) {
        PyErr_Format(PyExc_TypeError, "takes the %zd fields of a span", wanted);
        return 0;
    }
    return 1;
}

static PyObject *
SpanWriter_write(SpanWriter *self, PyObject *const *arguments, Py_ssize_t count)
{
    Fields fields = {0};
    if (!are_arguments(self, count, WRITE_ARGUMENTS)) {
        return NULL;
    }
    if (!read_fields(self, &fields, arguments) || !PyLong_CheckExact(arguments[END])
        || !PyDict_CheckExact(arguments[ATTRIBUTES])) {
        return answer(LEFT);
    }
    fields.end_ns = number_of(arguments[END]);
    fields.attributes = arguments[ATTRIBUTES];
    return answer(PyErr_Occurred() ? LEFT : write_span(self, &fields));
}

static PyObject *
SpanWriter_write_start(SpanWriter *self, PyObject *const *arguments, Py_ssize_t count)
{
    Fields fields = {0};
    if (!are_arguments(self, count, WRITE_START_ARGUMENTS)) {
        return NULL;
    }
    fields.thread_id = arguments[THREAD];
    return answer(read_fields(self, &fields, arguments) ? write_span(self, &fields) : LEFT);
}

/* ---- the type ------------------------------------------------------------------------------- */

/* Compares the names of fields with those known here. */
static int
agree(const char *what, PyObject *given, const char *const *known, Py_ssize_t count)
{
    int is_same = PyTuple_GET_SIZE(given) == count;
    for (Py_ssize_t index = 0; is_same && index < count; index++) {
        PyObject *name = PyTuple_GET_ITEM(given, index);
        is_same = PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, known[index]) == 0;
    }
    if (!is_same) {
        PyErr_Format(PyExc_TypeError, "other fields of %s than are known here: %R", what, given);
    }
    return is_same;
}

static int
SpanWriter_init(SpanWriter *self, PyObject *arguments, PyObject *keywords)
{
    static char *names[] = {
        "lane", "scope_entries", "default_state", "kinds", "record_limit", "payload_bytes",
        "length_mask", "one_record", "span_number", "span_fields", "start_number", "start_fields",
        "entry_fields", "remote_parent", "telltales", NULL};
    PyObject *lane, *scope_entries, *default_state, *kinds;
    PyObject *span_fields, *start_fields, *entry_fields, *telltales;
    unsigned long long length_mask, one_record;
    if (!PyArg_ParseTupleAndKeywords(
            arguments, keywords, "$OO!OO!nnKKbO!bO!O!kO", names, &lane, &PyDict_Type, &scope_entries,
            &default_state, &PyTuple_Type, &kinds, &self->record_limit, &self->payload_bytes,
            &length_mask, &one_record, &self->span_number, &PyTuple_Type, &span_fields,
            &self->start_number, &PyTuple_Type, &start_fields, &PyTuple_Type, &entry_fields,
            &self->remote_parent, &telltales)) {
        return -1;
    }
    if (telltales != Py_None
        && (strcmp(Py_TYPE(telltales)->tp_name, TELLTALES_NAME) != 0
            || Py_TYPE(telltales)->tp_basicsize != sizeof(Telltales))) {
        PyErr_SetString(PyExc_TypeError, "other telltales than those known here");
        return -1;
    }
    if (!agree("a span", span_fields, SPAN_FIELDS, LENGTH(SPAN_FIELDS))
        || !agree("a span's start", start_fields, START_FIELDS, LENGTH(START_FIELDS))
        || !agree("a scope's entry", entry_fields, ENTRY_FIELDS, LENGTH(ENTRY_FIELDS))) {
        return -1;
    }
    if (PyTuple_GET_SIZE(kinds) != SPAN_KINDS) {
        PyErr_SetString(PyExc_TypeError, "another SpanKind than the one known here");
        return -1;
    }
#define FIND(name)                                                                                 \
    if (find_slot((PyObject *)Py_TYPE(lane), #name, &self->offset##name) != 0) {                   \
        return -1;                                                                                 \
    }
    SLOTS(FIND)
    self->length_mask = length_mask;
    self->one_record = one_record;
#define HOLD(name) Py_XSETREF(self->name, Py_NewRef(name));
    HOLD(lane) HOLD(scope_entries) HOLD(default_state) HOLD(kinds)
    Py_XSETREF(self->telltales,
               telltales == Py_None ? NULL : (Telltales *)Py_NewRef(telltales));
    return 0;
}

static int
SpanWriter_traverse(SpanWriter *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->lane);
    Py_VISIT(self->scope_entries);
    Py_VISIT(self->default_state);
    Py_VISIT(self->kinds);
    Py_VISIT(self->telltales);
    return 0;
}

static int
SpanWriter_clear(SpanWriter *self)
{
    Py_CLEAR(self->lane);
    Py_CLEAR(self->scope_entries);
    Py_CLEAR(self->default_state);
    Py_CLEAR(self->kinds);
    Py_CLEAR(self->telltales);
    return 0;
}

static void
SpanWriter_dealloc(SpanWriter *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    SpanWriter_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef SpanWriter_methods[] = {
    {"write", (PyCFunction)(void (*)(void))SpanWriter_write, METH_FASTCALL,
     "write(context, parent, resource, scope, name, kind, start_time, end_time, attributes)\n"
     "--\n\n"
     "Record an ended span without events, links and status; return whether that was possible,\n"
     "and None if it had no room in the segment, or in a record."},
    {"write_start", (PyCFunction)(void (*)(void))SpanWriter_write_start, METH_FASTCALL,
     "write_start(context, parent, resource, scope, name, kind, start_time, thread_id)\n"
     "--\n\n"
     "Record a local root that started; return whether that was possible, None as `write` does."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot SpanWriter_slots[] = {
    {Py_tp_doc, "Writes ordinary spans into one lane."},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_init, SpanWriter_init},
    {Py_tp_dealloc, SpanWriter_dealloc},
    {Py_tp_traverse, SpanWriter_traverse},
    {Py_tp_clear, SpanWriter_clear},
    {Py_tp_methods, SpanWriter_methods},
    {0, NULL},
};

static PyType_Spec SpanWriter_spec = {
    .name = "otel_flight.recording.encoding._hot_path.SpanWriter",
    .basicsize = sizeof(SpanWriter),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = SpanWriter_slots,
};

static int
module_exec(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&SpanWriter_spec);
    if (type == NULL) {
        return -1;
    }
    int result = PyModule_AddObjectRef(module, "SpanWriter", type);
    Py_DECREF(type);
    return result;
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "otel_flight.recording.encoding._hot_path",
    .m_doc = "The hot path in C; recording/encoding/compiled.py says when it is used.",
    .m_size = 0,
    .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__hot_path(void)
{
    return PyModuleDef_Init(&module_definition);
}
