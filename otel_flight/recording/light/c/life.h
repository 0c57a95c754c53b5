/* How a light span begins and ends; light_span.py is the description of it. */

#ifndef OTEL_FLIGHT_LIFE_H
#define OTEL_FLIGHT_LIFE_H

#include "attributes.h"
#include "recorder.h"

/* Returns a span that is not begun yet. */
static LightSpan *
new_span(PyObject *shape, PyObject *name, PyObject *parent, PyObject *kind)
{
    PyTypeObject *type = (PyTypeObject *)known.span_type;
    LightSpan *self = (LightSpan *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->shape = Py_NewRef(shape);
        self->name = Py_NewRef(name);
        self->parent = Py_NewRef(parent);
        self->kind = Py_NewRef(kind);
        self->resource = Py_XNewRef(PART(shape, in_shape.resource));
        self->scope = Py_XNewRef(PART(shape, in_shape.scope));
        self->start.ns = self->end.ns = -1;
        self->is_open = 1;
        self->records = self->sets_status = 1;
    }
    return self;
}

/* Gives a span the attributes and links that it starts with. */
static int
give(LightSpan *self, PyObject *attributes, PyObject *links)
{
    int is_odd = attributes != Py_None;
    if (PyDict_CheckExact(attributes)) {
        PyObject *copied = PyDict_GET_SIZE(attributes) > 0 ? PyDict_Copy(attributes) : NULL;
        if (copied == NULL && PyErr_Occurred()) {
            return -1;
        }
        is_odd = copied != NULL
            && !(has_room_for(self, PyDict_GET_SIZE(copied)) && are_plain(copied));
        if (is_odd) {
            Py_DECREF(copied);
        } else {
            Py_XSETREF(self->own, copied);
        }
    }
    int has_links = PyObject_IsTrue(links);
    if (has_links < 0) {
        return -1;
    }
    if (is_odd || has_links) {
        PyObject *result = PyObject_CallFunctionObjArgs(
            known.give_odd, (PyObject *)self, is_odd ? attributes : Py_None, links, NULL);
        Py_XDECREF(result);
        return result == NULL ? -1 : 0;
    }
    return 0;
}

/* Starts a span; returns it, or NULL after it is gone. */
static PyObject *
begin(LightSpan *self, PyObject *attributes, PyObject *links, PyObject *start_time)
{
    int result = give(self, attributes, links);
    if (result == 0 && start_time == Py_None) {
        result = read_clock(&self->start);
    } else if (result == 0) {
        take_time(&self->start, start_time);
    }
    int noted = result == 0 ? note_open(self) : -1;
    if (noted == 0) {
        PyErr_Clear();
        PyObject *started = Py_XNewRef(PART(self->shape, in_shape.started));
        PyObject *done = started == NULL ? NULL : PyObject_CallOneArg(started, (PyObject *)self);
        Py_XDECREF(started);
        Py_XDECREF(done);
        noted = done == NULL ? -1 : 1;
    }
    if (noted < 0) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

/* As light_span.begin_span. */
static PyObject *
begin_span(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    enum { SHAPE, NAME, CONTEXT, PARENT, KIND, ATTRIBUTES, LINKS, START, RECORDS, SETS, ALL };
    if (count != ALL || (PyObject *)Py_TYPE(given[SHAPE]) != known.shape_type) {
        PyErr_SetString(PyExc_TypeError, "takes what light_span.begin_span takes");
        return NULL;
    }
    int records = PyObject_IsTrue(given[RECORDS]), sets_status = PyObject_IsTrue(given[SETS]);
    if (records < 0 || sets_status < 0) {
        return NULL;
    }
    LightSpan *self = new_span(given[SHAPE], given[NAME], given[PARENT], given[KIND]);
    if (self == NULL) {
        return NULL;
    }
    self->records = (char)records;
    self->sets_status = (char)sets_status;
    take_context(self, given[CONTEXT]);
    return begin(self, given[ATTRIBUTES], given[LINKS], given[START]);
}

/* Whether the SDK has processors that a sampled span is given to, also such as came after its start. */
static int
is_exported(PyObject *shape)
{
    PyObject *exporting = PART(shape, in_shape.exporting);
    PyObject *of_pipeline = PART(shape, in_shape.of_pipeline);
    if (exporting != NULL && PyTuple_CheckExact(exporting) && PyTuple_GET_SIZE(exporting) > 0) {
        return 1;
    }
    return of_pipeline != NULL && PyDict_CheckExact(of_pipeline) && PyDict_GET_SIZE(of_pipeline) > 0
        && PyDict_GetItemWithError(of_pipeline, names._span_processors)
            != PART(shape, in_shape.processors);
}

/* Gives a span that ended to the SDK's processors that export it; returns whether none raised. */
static int
export_sampled(LightSpan *self)
{
    if (!is_exported(self->shape) || self->flags == NULL || !PyLong_Check(self->flags)
        || !(PyLong_AsUnsignedLongMask(self->flags) & 1)) {
        return 1;
    }
    PyObject *exported = PyObject_CallOneArg(known.export, (PyObject *)self);
    Py_XDECREF(exported);
    return exported != NULL;
}

static PyObject *
Span_end(LightSpan *self, PyObject *const *arguments, Py_ssize_t count, PyObject *keywords)
{
    PyObject *end_time = Py_None;
    if (sort_arguments("end", end_names, &end_time, arguments, count, keywords) != 0) {
        return NULL;
    }
    if (!self->is_open) {
        return PyObject_CallNoArgs(known.warn_of_end);
    }
    self->is_open = 0; /* of two threads that end a span, one does */
    if (end_time != Py_None) {
        take_time(&self->end, end_time);
    } else if (read_clock(&self->end) != 0) {
        self->is_open = 1;
        return NULL;
    }
    if (self->is_odd) {
        PyObject *closed = PyObject_CallOneArg(known.close_attributes, (PyObject *)self);
        if (closed == NULL) {
            return NULL;
        }
        Py_DECREF(closed);
    }
    /* What an exporter raises does not keep the span from being recorded. */
    PyObject *type = NULL, *error = NULL, *traceback = NULL;
    if (!export_sampled(self)) {
        PyErr_Fetch(&type, &error, &traceback);
    }
    int recorded = record(self);
    if (recorded == 0) {
        PyErr_Clear();
        PyObject *ended = Py_XNewRef(PART(self->shape, in_shape.ended));
        PyObject *result = ended == NULL ? NULL : PyObject_CallOneArg(ended, (PyObject *)self);
        Py_XDECREF(ended);
        Py_XDECREF(result);
        recorded = result == NULL ? -1 : 1;
    }
    if (recorded < 0) {
        Py_XDECREF(type);
        Py_XDECREF(error);
        Py_XDECREF(traceback);
        return NULL;
    }
    if (type != NULL) {
        PyErr_Restore(type, error, traceback);
        return NULL;
    }
    Py_RETURN_NONE;
}

#endif
