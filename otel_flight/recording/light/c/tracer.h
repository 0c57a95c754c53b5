/* How a tracer starts a span; light_tracer.py is the description of it. */

#ifndef OTEL_FLIGHT_TRACER_H
#define OTEL_FLIGHT_TRACER_H

#include "ids.h"
#include "life.h"

/* The arguments of Tracer.start_span. */
static const char *const START_NAMES[] = {
    "name", "context", "kind", "attributes", "links", "start_time", "record_exception",
    "set_status_on_exception"};
enum { NAME, CONTEXT, KIND, ATTRIBUTES, LINKS, START_TIME, RECORD_EXCEPTION, SET_STATUS, ARGUMENTS };

/* Whether the SDK's spans have the methods that they came with. They are looked at anew where that class
 * or one above it was changed, which the version of the class tells. */
static int
has_own_methods(void)
{
    static Seen seen;
    PyTypeObject *type = (PyTypeObject *)known.sdk_span_type;
    if (seen.version != 0 && version_of(type) == seen.version) {
        return seen.answer;
    }
    int is_own = 1;
    for (Py_ssize_t index = 0; index < PyTuple_GET_SIZE(known.method_names); index++) {
        PyObject *now =
            PyObject_GetAttr((PyObject *)type, PyTuple_GET_ITEM(known.method_names, index));
        is_own &= now != NULL && now == PyTuple_GET_ITEM(known.own_methods, index);
        Py_XDECREF(now);
    }
    PyErr_Clear();
    seen.version = version_of(type);
    return seen.answer = is_own;
}

static int
is_decided(PyObject *decided)
{
    int has_own = has_own_methods(); /* first, as it can run any code */
#define SEEN(part) PART(decided, in_switch.part)
    PyObject *of_tracer = SEEN(of_tracer), *of_pipeline = SEEN(of_pipeline);
    PyObject *of_config = SEEN(of_config), *recorder = SEEN(recorder), *config;
    if (of_tracer == NULL || !PyDict_CheckExact(of_tracer) || of_pipeline == NULL
        || !PyDict_CheckExact(of_pipeline) || of_config == NULL || !PyDict_CheckExact(of_config)
        || !is_recorder(recorder)) {
        return 0;
    }
    config = PyDict_GetItemWithError(of_tracer, names._tracer_config);
    return SEEN(has_own_methods) == (has_own ? Py_True : Py_False)
        && SEEN(is_recording) == PART(recorder, in_recorder.is_recording)
        && is_as_seen(of_tracer, names.sampler, SEEN(sampler))
        && is_as_seen(of_tracer, names.resource, SEEN(resource))
        && is_as_seen(of_tracer, names.span_processor, SEEN(pipeline))
        && is_as_seen(of_pipeline, names._span_processors, SEEN(processors))
        && (config == NULL ? known.no_config : config) == SEEN(config)
        && is_as_seen(of_config, names.is_enabled, SEEN(is_enabled))
        && is_as_seen(known.trace_namespace, names.get_current_span, known.own_get_current_span);
#undef SEEN
}

static int
is_simple(PyObject *const *given)
{
    PyObject *links = given[LINKS], *attributes = given[ATTRIBUTES];
    return (attributes == Py_None || PyDict_CheckExact(attributes))
        && (links == Py_None || (PyTuple_CheckExact(links) && PyTuple_GET_SIZE(links) == 0)
            || (PyList_CheckExact(links) && PyList_GET_SIZE(links) == 0))
        && PyBool_Check(given[RECORD_EXCEPTION]) && PyBool_Check(given[SET_STATUS]);
}

/* Starts an ordinary span; NULL without an exception: it is none, and nothing was done. Says whether
 * it is one of the SDK's, as far as is known. */
static PyObject *
start_ordinary(PyObject *decided, PyObject *const *given, int *is_theirs)
{
    PyObject *result = NULL, *span_id = NULL;
    if (!is_decided(decided)) {
        return NULL;
    }
    *is_theirs = PART(decided, in_switch.is_light) != Py_True;
    if (*is_theirs || !is_simple(given)) {
        return NULL;
    }
    Above above = {0};
    PyObject *shape = Py_XNewRef(PART(decided, in_switch.shape));
    if (shape == NULL || (PyObject *)Py_TYPE(shape) != known.shape_type
        || read_above(&above, given[CONTEXT]) <= 0) {
        goto done;
    }
    int has_known_ids = has_known_generator(decided);
    if (above.context == Py_None) {
        if (!is_as_seen(known.sdk_namespace, names._Span, known.sdk_span_type)
            || decide_root(decided, &above, has_known_ids) <= 0) {
            goto done;
        }
    } else if (above.is_remote ? !has_bound(decided)
                               : PART(decided, in_switch.follows_parent) != Py_True) {
        goto done;
    }
    span_id = new_span_id(decided, has_known_ids);
    LightSpan *self = span_id == NULL
        ? NULL
        : new_span(shape, given[NAME], above.context, given[KIND]);
    if (self == NULL) {
        goto done;
    }
    self->trace_id = Py_NewRef(above.trace_id);
    self->span_id = Py_NewRef(span_id);
    self->flags = Py_NewRef(PyTuple_GET_ITEM(known.flags, above.flags & inherited_flags));
    self->state = Py_NewRef(above.state);
    self->is_plain = 1;
    if (!is_usual_id(span_id) && take_odd_id(self) != 0) {
        Py_DECREF(self);
        goto done;
    }
    self->records = given[RECORD_EXCEPTION] == Py_True;
    self->sets_status = given[SET_STATUS] == Py_True;
    result = begin(self, given[ATTRIBUTES], given[LINKS], given[START_TIME]);
done:
    let_go(&above);
    Py_XDECREF(span_id);
    Py_XDECREF(shape);
    return result;
}

/* As LightTracer.start_span. */
static PyObject *
start_span(Function *Py_UNUSED(self), PyObject *const *arguments, size_t flags, PyObject *keywords)
{
    Py_ssize_t count = PyVectorcall_NARGS(flags);
    PyObject *given[ARGUMENTS + 1] = {
        NULL, NULL, Py_None, known.internal_kind, Py_None, no_arguments, Py_None, Py_True, Py_True};
    if (count < 1) {
        PyErr_SetString(PyExc_TypeError, "start_span() misses its tracer");
        return NULL;
    }
    static Seen seen;
    PyTypeObject *tracer_type = (PyTypeObject *)known.sdk_tracer_type;
    if (!has_own(&seen, tracer_type, names.start_span, known.own_start_span)) {
        PyObject *theirs = PyDict_GetItemWithError(tracer_type->tp_dict, names.start_span);
        return call_as_method(theirs, arguments, count, keywords);
    }
    if (sort_arguments("start_span", start_names, given + 1, arguments + 1, count - 1, keywords)
        != 0) {
        return NULL;
    }
    given[0] = arguments[0];
    PyObject *decided = PyObject_GetAttr(given[0], names._switch);
    PyObject *result = NULL;
    int is_theirs = 0;
    if (decided != NULL && (PyObject *)Py_TYPE(decided) == known.switch_type) {
        result = start_ordinary(decided, given + 1, &is_theirs);
    }
    if (result == NULL && decided == NULL && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear(); /* it was released a moment ago */
        result = PyObject_Vectorcall(known.sdk_start_span, given, ARGUMENTS + 1, NULL);
    } else if (result == NULL && !PyErr_Occurred()) {
        result = PyObject_Vectorcall(is_theirs ? known.sdk_start_span : known.python_start_span, given,
                                     ARGUMENTS + 1, NULL);
    }
    Py_XDECREF(decided);
    return result;
}

#endif
