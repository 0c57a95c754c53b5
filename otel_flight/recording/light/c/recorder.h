/* What the recorder does when a light span starts and ends: RecordingSpanProcessor is the description
 * of it. */

#ifndef OTEL_FLIGHT_RECORDER_H
#define OTEL_FLIGHT_RECORDER_H

#include <unistd.h>

#include "span.h"

static inline int
is_recorder(PyObject *object)
{
    return object != NULL && PyObject_TypeCheck(object, (PyTypeObject *)known.recorder_type);
}

/* Returns the recorder of a span's tracer if it is the one whose fields are known. */
static PyObject *
known_recorder(LightSpan *self)
{
    PyObject *recorder = PART(self->shape, in_shape.recorder);
    return is_recorder(recorder)
            && PART(recorder, in_recorder.is_recording) == Py_True
        ? recorder
        : NULL;
}

static inline int
has_known_parent(LightSpan *self)
{
    PyObject *parent = self->parent;
    return parent == Py_None
        || ((PyObject *)Py_TYPE(parent) == known.span_context_type
            && PyTuple_GET_SIZE(parent) == CONTEXT_FIELDS
            && PyBool_Check(PyTuple_GET_ITEM(parent, CONTEXT_IS_REMOTE)));
}

/* Of a span with a known parent. */
static inline int
is_local_root(LightSpan *self)
{
    return self->parent == Py_None || PyTuple_GET_ITEM(self->parent, CONTEXT_IS_REMOTE) == Py_True;
}

/* Returns the writer behind one of the recorder's functions; NULL: it is not in C. */
static SpanWriter *
writer_of(PyObject *write)
{
    PyObject *writer = write == NULL || !PyCFunction_Check(write) ? NULL : PyCFunction_GET_SELF(write);
    return writer == NULL || (PyObject *)Py_TYPE(writer) != known.writer_type
            || ((SpanWriter *)writer)->lane == NULL
        ? NULL
        : (SpanWriter *)writer;
}

/* Whether the record of a span can be written here. */
static int
is_ordinary(LightSpan *self)
{
    return self->is_plain && self->state == known.default_state && self->start.ns >= 0
        && self->name != NULL && PyUnicode_CheckExact(self->name) && self->kind != NULL
        && self->resource != NULL && self->scope != NULL && has_known_parent(self);
}

/* Writes the record of a span: of its start if there is a thread, else of its end. Returns whether
 * it was written, which an ordinary one is. */
static int
is_written(LightSpan *self, SpanWriter *writer, PyObject *thread_id)
{
    if (!is_ordinary(self)) {
        return 0;
    }
    Fields fields = {
        .trace_id = self->trace_id,
        .span_id = self->span_id,
        .flags = PyLong_AsUnsignedLongMask(self->flags) & 0xff,
        .resource = self->resource,
        .scope = self->scope,
        .name = self->name,
        .kind = self->kind,
        .start_ns = (uint64_t)self->start.ns,
        .end_ns = (uint64_t)self->end.ns,
        .attributes = self->own,
        .thread_id = thread_id,
    };
    if (self->parent != Py_None) {
        fields.parent_id = PyTuple_GET_ITEM(self->parent, CONTEXT_SPAN_ID);
        if (PyTuple_GET_ITEM(self->parent, CONTEXT_IS_REMOTE) == Py_True) {
            fields.flags |= writer->remote_parent;
        }
    }
    return write_span(writer, &fields) == WRITTEN;
}

/* Lets the recorder count the exception that is set, if it is its affair; what is not stays set, such
 * as what a signal handler of the program raises. */
static int
note_failure(PyObject *recorder, const char *place)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception)) {
        return -1;
    }
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(error, traceback);
    }
    PyObject *result = PyObject_CallFunction(known.note_failure, "OsO", recorder, place, error);
    Py_XDECREF(type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* Returns a reference to the task or greenlet that runs now, or None; NULL: that failed. Where no
 * event loop runs and there are no greenlets, what looks for them is not called. */
static PyObject *
task_of(PyObject *recorder)
{
    PyObject *current_task = Py_NewRef(PART(recorder, in_recorder._current_task));
    PyObject *task = NULL;
    if (current_task == known.task_reference
        && PyDict_GetItemWithError(PyImport_GetModuleDict(), names.greenlet) == NULL) {
        task = PyObject_CallNoArgs(known.running_loop);
    }
    if (task != Py_None && !PyErr_Occurred()) { /* a loop runs, or somebody else is asked */
        Py_XDECREF(task);
        task = PyObject_CallNoArgs(current_task);
    }
    Py_DECREF(current_task);
    return task;
}

/* Notes a local root and records its start, as RecordingSpanProcessor does. Returns 1 when that is
 * done, 0 if it is all to be done in Python, -1 with an exception. */
static int
note_root(LightSpan *self, PyObject *recorder)
{
    PyObject *pid = PART(recorder, in_recorder._pid), *pipeline = PART(recorder, in_recorder.pipeline);
    if (pid == NULL || PyLong_AsLong(pid) != (long)getpid() || pipeline == NULL
        || pipeline == Py_None || PART(recorder, in_recorder._current_task) == NULL
        || PART(recorder, in_recorder._now_ns) == NULL) {
        return 0;
    }
    PyObject *task = task_of(recorder);
    PyObject *clock = task == NULL ? NULL : Py_NewRef(PART(recorder, in_recorder._now_ns));
    PyObject *now_ns = clock == NULL ? NULL : PyObject_CallNoArgs(clock);
    Py_XDECREF(clock);
    if (now_ns == NULL) {
        Py_XDECREF(task);
        return note_failure(recorder, "on_start") == 0 ? 1 : -1;
    }
    PyObject *thread_id = PyLong_FromUnsignedLong(PyThread_get_thread_ident());
    PyObject *root = thread_id == NULL ? NULL : PyTuple_Pack(4, self, thread_id, task, now_ns);
    PyObject *roots = Py_XNewRef(PART(recorder, in_recorder._roots));
    SpanWriter *writer = writer_of(PART(recorder, in_recorder._write_start));
    Py_XINCREF(writer);
    int is_done = root != NULL && roots != NULL && PyDict_CheckExact(roots) && writer != NULL
        && PyDict_SetItem(roots, self->span_id, root) == 0 && is_written(self, writer, thread_id);
    Py_XDECREF(roots);
    Py_XDECREF(writer);
    Py_XDECREF(root);
    Py_XDECREF(thread_id);
    Py_DECREF(now_ns);
    Py_DECREF(task);
    PyErr_Clear();
    return is_done;
}

/* Notes a span as open as RecordingSpanProcessor does; returns the same. */
static int
note_open(LightSpan *self)
{
    PyObject *recorder = known_recorder(self);
    PyObject *open = recorder == NULL ? NULL : PART(recorder, in_recorder._open);
    if (open == NULL || !PyDict_CheckExact(open) || !self->is_plain || !has_known_parent(self)
        || PyDict_SetDefault(open, self->span_id, (PyObject *)self) != (PyObject *)self) {
        PyErr_Clear();
        return 0;
    }
    if (!is_local_root(self)) {
        return 1;
    }
    Py_INCREF(recorder);
    int result = note_root(self, recorder);
    Py_DECREF(recorder);
    return result;
}

/* Takes what a dict has under a key; NULL: it has nothing. */
static PyObject *
pop(PyObject *dict, PyObject *key)
{
    PyObject *found = Py_XNewRef(PyDict_GetItemWithError(dict, key));
    if (found != NULL) {
        PyDict_DelItem(dict, key);
    }
    PyErr_Clear();
    return found;
}

/* Lets what fires see a local root that ended, and what was noted of it when it started. */
static int
show_root(LightSpan *self, PyObject *recorder, PyObject *root)
{
    PyObject *root_end = Py_XNewRef(PART(recorder, in_recorder._root_end));
    if (root_end == NULL) {
        return 0;
    }
    PyObject *result = PyObject_CallFunctionObjArgs(
        root_end, (PyObject *)self, root == NULL ? Py_None : root, NULL);
    Py_DECREF(root_end);
    Py_XDECREF(result);
    return result == NULL ? note_failure(recorder, "on_end") : 0;
}

/* Records a span that ended if it is an ordinary one, as RecordingSpanProcessor.on_light_end does.
 * Returns 1 if so, 0 if nothing was changed, -1 with an exception. */
static int
record(LightSpan *self)
{
    PyObject *recorder = known_recorder(self);
    if (recorder == NULL || !self->is_plain || !has_known_parent(self) || self->end.ns < 0 || self->is_odd
        || (self->status != NULL && self->status != known.unset_status)
        || (self->own != NULL && !PyDict_CheckExact(self->own))) {
        return 0;
    }
    PyObject *open = PART(recorder, in_recorder._open);
    PyObject *roots = PART(recorder, in_recorder._roots);
    PyObject *silent = PART(recorder, in_recorder._silent);
    if (open == NULL || !PyDict_CheckExact(open)
        || PyDict_GetItemWithError(open, self->span_id) != (PyObject *)self) {
        return 0;
    }
    int is_root = is_local_root(self);
    if (is_root && (roots == NULL || !PyDict_CheckExact(roots) || silent == NULL
                    || !PyDict_CheckExact(silent))) {
        return 0;
    }
    SpanWriter *writer = writer_of(PART(recorder, in_recorder._write_light));
    if (writer == NULL || !is_written(self, writer, NULL)) {
        return 0;
    }
    PyObject *opened = pop(open, self->span_id);
    if (!is_root) {
        Py_XDECREF(opened);
        return 1;
    }
    PyObject *root = pop(roots, self->span_id);
    PyObject *is_silent = PyDict_GET_SIZE(silent) > 0 ? pop(silent, self->span_id) : NULL;
    /* From here on objects are let go, and anything may run. */
    Py_INCREF(recorder);
    int result = is_silent != NULL ? 0 : show_root(self, recorder, root);
    Py_DECREF(recorder);
    Py_XDECREF(is_silent);
    Py_XDECREF(root);
    Py_XDECREF(opened);
    return result == 0 ? 1 : -1;
}

#endif
